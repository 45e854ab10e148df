"""A batch that is computed in parts gives the step of the whole batch."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from headstart.backbone import torchvision_ops
from headstart.backbone.teams import Teams
from headstart.labels.task import Task
from headstart.network.objective import Objective
from headstart.training.parts import Part, Split
from headstart.training.ranks import Ranks
from headstart.training.whole_batch import Place
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


class Own(nn.Module):
    """Draws in a way that nobody else knows."""

    def forward(self, x: Tensor) -> Tensor:
        """x (N, D), with noise on it."""
        return x + 0.1 * torch.randn_like(x)


def model(*first: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    drops = nn.Dropout(0.3), nn.Linear(D, 8), nn.Dropout(0.5), nn.Linear(8, K)
    return nn.Sequential(*first, *drops)


def step(
    split: Split, task: Task = "single_label", weights: Tensor | None = None, *first: nn.Module
) -> tuple[Tensor, list[Tensor], Tensor]:
    """Loss and gradients of one batch, and the next draw."""
    net = model(*first)
    torch.manual_seed(4)
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


@pytest.fixture
def teams(torch_threads: Callable[[int], None]) -> Teams:
    """Two teams of a thread each."""
    torch_threads(2)
    found = Teams.of(torch.device("cpu"))
    assert found
    return found


def test_two_teams_make_the_same_step_as_one(teams: Teams) -> None:
    weights = torch.tensor([1.0, 3.0, 7.0])
    loss, gradients, draw = step(Split(), "single_label", weights)
    for n_accumulate in (1, 3):
        split = Split(n_accumulate, teams=teams)
        again, in_halves, next_draw = step(split, "single_label", weights)
        torch.testing.assert_close(again, loss, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(in_halves, gradients, rtol=1e-5, atol=1e-7)
        assert torch.equal(draw, next_draw)
        for _ in range(20):
            _, anew, _ = step(split, "single_label", weights)
            assert all(map(torch.equal, anew, in_halves)), "the same bits, whichever team is faster"


def test_stochastic_depth_is_that_of_the_whole_batch(teams: Teams) -> None:
    torchvision_ops.declare_missing()
    from timm.layers.drop import DropPath

    _, gradients, draw = step(Split(), "single_label", None, DropPath(0.4))
    for split in (Split(3), Split(1, teams=teams), Split(2, teams=teams)):
        _, in_parts, next_draw = step(split, "single_label", None, DropPath(0.4))
        torch.testing.assert_close(in_parts, gradients, rtol=1e-5, atol=1e-7)
        assert torch.equal(draw, next_draw)


@pytest.mark.parametrize(
    "first", [Own(), nn.BatchNorm1d(D), nn.Dropout1d(0.5)], ids=["noise", "norm", "channels"]
)
def test_what_halves_would_change_is_computed_by_one_team(first: nn.Module, teams: Teams) -> None:
    """Draws that AsInWholeBatch does not know, and statistics of the batch."""
    net, part = model(first), Part(torch.randn(N, D), torch.randint(0, K, (N,)), Place(0, N, N))

    def gradients(split: Split) -> tuple[list[Tensor], Tensor]:
        torch.manual_seed(2)
        net.zero_grad()
        split.gradients(net, Objective("single_label", None), [part])
        found = [p.grad for p in net.parameters() if p.grad is not None]
        return found, torch.rand(1)

    whole, draw = gradients(Split())
    found, next_draw = gradients(Split(teams=teams))
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-7)
    again, draw_again = gradients(Split(teams=teams))  # now it is known beforehand
    assert all(map(torch.equal, again, found))
    assert draw == next_draw == draw_again


def test_a_layer_without_gradient_gets_none(teams: Teams) -> None:
    used, unused = model(), nn.Parameter(torch.zeros(D))
    net = nn.Sequential(used)
    net.register_parameter("unused", unused)
    part = Part(torch.randn(N, D), torch.randint(0, K, (N,)), Place(0, N, N))
    Split(teams=teams).gradients(net, Objective("single_label", None), [part])
    assert unused.grad is None
    assert all(p.grad is not None for p in used.parameters())


def test_a_part_has_two_pictures() -> None:
    values = OPTIMIZER.model_dump() | {"n_accumulate": 5}
    with pytest.raises(ValidationError, match=r"n_accumulate is 5, .* must be at most 4"):
        type(OPTIMIZER).model_validate(values)
    assert [place.n for place in Split(8).places(5)] == [3, 2]
    assert Split(3).places(2) == [Place(0, 2, 2)]
    assert replace(Split(), n_accumulate=2).places(4) == [Place(0, 2, 4), Place(2, 2, 4)]
