"""A batch that is computed in parts gives the step of the whole batch."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from headstart.labels.task import Task
from headstart.network.objective import Objective
from headstart.training.parts import AsInWholeBatch, Part, Place, Split
from headstart.training.ranks import ALONE, Ranks
from tests.training.test_gradients import OPTIMIZER

N, D, K = 13, 5, 3  # 13 is cut into uneven parts


@given(n_all=st.integers(8, 70), n_accumulate=st.integers(1, 40), n=st.integers(1, 2))
def test_the_parts_of_all_processes_are_the_batch(n_all: int, n_accumulate: int, n: int) -> None:
    of_each = [Split(n_accumulate, Ranks(number, n)).places(n_all) for number in range(n)]
    taken = [
        i for places in zip(*of_each, strict=True) for p in places for i in range(p[0], p[0] + p[1])
    ]
    assert taken == list(range(n_all))
    assert all(sum(place.n for place in places) >= 2 for places in zip(*of_each, strict=True))


def test_a_process_without_pictures_is_refused() -> None:
    with pytest.raises(ValueError, match=r"4 pictures has fewer .* processes \(3\)\. Raise optim"):
        Split(2, Ranks(0, 3)).places(4)


def model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Dropout(0.3), nn.Linear(D, 8), nn.Dropout(0.5), nn.Linear(8, K))


def step(split: Split, task: Task, weights: Tensor | None) -> tuple[Tensor, list[Tensor], Tensor]:
    """Loss and gradients of one batch, and the next draw."""
    net = model()
    inputs = torch.randn(N, D)
    classes, labels = torch.randint(0, K, (N,)), (torch.rand(N, K) < 0.5).float()
    targets = classes if task == "single_label" else labels
    torch.manual_seed(2)
    places = split.places(N)
    parts = (Part(inputs[p.first :][: p.n], targets[p.first :][: p.n], p) for p in places)
    loss, n = split.gradients(net, Objective(task, weights), parts)
    assert n == N
    return loss, [p.grad for p in net.parameters() if p.grad is not None], torch.rand(1)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_accumulate", [2, 3, 6])
def test_parts_have_the_gradients_of_the_whole_batch(
    n_accumulate: int, weighted: bool, task: Task, figures: Callable[[str], None]
) -> None:
    weights = torch.tensor([1.0, 3.0, 7.0]) if weighted else None
    loss, gradients, draw = step(Split(), task, weights)
    again, in_parts, next_draw = step(Split(n_accumulate), task, weights)
    torch.testing.assert_close(again, loss, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(in_parts, gradients, rtol=1e-5, atol=1e-7)
    assert torch.equal(draw, next_draw), "later batches have the same dropout too"
    largest = max((a - b).abs().max().item() for a, b in zip(gradients, in_parts, strict=True))
    figures(f"{n_accumulate} parts, dropout on: gradients differ by {largest:.0e} at most")


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


def test_a_part_has_two_pictures() -> None:
    values = OPTIMIZER.model_dump() | {"n_accumulate": 5}
    with pytest.raises(ValidationError, match=r"n_accumulate is 5, .* must be at most 4"):
        type(OPTIMIZER).model_validate(values)
    assert [place.n for place in Split(8).places(5)] == [3, 2]
    assert Split(3).places(2) == [Place(0, 2, 2)]
    assert replace(Split(), n_accumulate=2).places(4) == [Place(0, 2, 4), Place(2, 2, 4)]
