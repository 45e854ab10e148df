import numpy as np
import torch

from headstart.backbone.seeding import key_seed, permutation, torch_seed


def test_keys_are_told_apart() -> None:
    keys = [(0, "order", 1), (0, "order", 2), (1, "order", 1), (0, "views", 1), (0, "order", "1")]
    assert len({key_seed(*key) for key in keys}) == len(keys)
    assert all(0 <= key_seed(*key) < 2**63 for key in keys)


def test_a_permutation_is_its_keys_own() -> None:
    assert np.array_equal(permutation(50, 0, 1), permutation(50, 0, 1))
    assert not np.array_equal(permutation(50, 0, 1), permutation(50, 0, 2))
    assert sorted(permutation(50, 0, 1)) == list(range(50))


def test_torch_draws_come_from_the_key_and_leave_no_trace() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    with torch_seed("a", 1):
        one = torch.rand(3)
    assert torch.equal(torch.rand(3), wanted)
    with torch_seed("a", 1):
        assert torch.equal(torch.rand(3), one)
