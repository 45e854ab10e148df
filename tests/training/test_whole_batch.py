"""A part of a batch has the draws of the whole batch."""

import torch
from torch import Tensor, nn

from headstart.training.ranks import ALONE
from headstart.training.whole_batch import AsInWholeBatch, Place

D = 5


def test_dropout_of_windows_and_of_tables_is_that_of_the_whole_batch() -> None:
    """Windows: several rows a picture. A table: no row is of a picture."""

    def dropped(place: Place) -> tuple[Tensor, Tensor]:
        torch.manual_seed(3)
        with AsInWholeBatch(place, ALONE):
            windows = nn.functional.dropout(torch.ones(4 * place.n, D))
            return windows, nn.functional.dropout(torch.ones(7, D))

    windows, table = dropped(Place(0, 6, 6))
    parts = [dropped(Place(first, 3, 6)) for first in (0, 3)]
    assert torch.equal(torch.cat([part[0] for part in parts]), windows)
    assert all(torch.equal(part[1], table) for part in parts)


def drawn(n: int) -> list[Tensor]:
    """Draws of dropout and of stochastic depth for n pictures."""
    return [nn.functional.dropout(torch.ones(n, D), 0.4), torch.empty(n, 1).bernoulli_(0.7)]


def test_a_generator_makes_the_draws_of_torchs_own_and_makes_them_again() -> None:
    torch.manual_seed(3)
    wanted = [whole[2:5] for whole in drawn(6)]
    mode = AsInWholeBatch(Place(2, 3, 6), ALONE, torch.Generator().manual_seed(3))
    before = mode.again()
    for context in (mode, before):
        with context:
            assert all(map(torch.equal, drawn(3), wanted))
    with mode.again():
        assert not any(map(torch.equal, drawn(3), wanted)), "draws go on after those that were made"
