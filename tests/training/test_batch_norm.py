import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.training.batch_norm import BnFreeze, has_batch_norm, set_training_mode
from headstart.training.layer_groups import module_groups
from tests.small_networks import small_network


@pytest.mark.parametrize(
    ("first", "bn_freeze", "moves"),
    [
        (0, "none", [True, True, True]),
        (1, "none", [False, True, True]),
        (2, "none", [False, False, True]),
        (0, "backbone", [False, False, True]),
        (0, "all", [False, False, False]),
    ],
)
def test_only_the_statistics_that_may_move_do(
    first: int, bn_freeze: BnFreeze, moves: list[bool]
) -> None:
    network = small_network()
    groups = module_groups(network, 3)
    norms = [[m for m in group if isinstance(m, _BatchNorm)] for group in groups]
    before = [[m.running_mean.clone() for m in group] for group in norms]  # type: ignore[union-attr]
    set_training_mode(groups, first, bn_freeze)
    network(torch.rand(4, 3, 32, 32) * 255)
    for group, olds, move in zip(norms, before, moves, strict=True):
        changed = [not torch.equal(m.running_mean, old) for m, old in zip(group, olds, strict=True)]  # type: ignore[arg-type]
        assert changed == [move] * len(group)


def test_dropout_of_a_frozen_group_is_off() -> None:
    network = small_network()
    set_training_mode(module_groups(network, 3), 3, "none")
    assert not any(module.training for group in module_groups(network, 3) for module in group)


def test_a_transformer_has_no_batch_norm() -> None:
    assert has_batch_norm(small_network("test_resnet").backbone)
    assert not has_batch_norm(small_network("test_vit").backbone)  # its head has two
