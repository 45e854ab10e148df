"""Our steps against those of torch's optimiser classes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from headstart.training.loop import train_steps
from headstart.training.optimizer import Optimizer, OptimizerParams, ParameterGroup
from headstart.training.schedules import Step

SGD = OptimizerParams(name="sgd", momentum=0.9, weight_decay=0.0, clip_norm=0.0, batch_size=8)


Batch = tuple[torch.Tensor, torch.Tensor]


def data(n: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(8, 4, generator=generator), torch.randint(0, 3, (8,), generator=generator))
        for _ in range(n)
    ]


def gradients(model: nn.Module) -> Callable[[Batch], tuple[torch.Tensor, int]]:
    """Of a batch, by cross entropy."""

    def of(batch: Batch) -> tuple[torch.Tensor, int]:
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), len(batch[1])

    return of


def reference(name: str, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """torch's own, with the weight decay of each of `groups`."""
    if name == "sgd":
        return torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(groups, lr=0.1, betas=(0.9, 0.999))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_loop_is_a_plain_torch_loop_with_scheduled_rates_and_momenta(name: str) -> None:
    torch.manual_seed(0)
    ours, plain = nn.Linear(4, 3), nn.Linear(4, 3)
    weight, bias = ours.parameters()
    plain.load_state_dict(ours.state_dict())
    schedule = [Step(1.0), Step(0.5, 0.8), Step(0.0), Step(0.25, 0.95)]
    momenta = [0.9, 0.8, 0.8, 0.95]
    params = SGD.model_copy(update={"name": name})
    optimizer = Optimizer(
        [ParameterGroup([weight], 0.1, 0.1), ParameterGroup([bias], 0.01, 0.02)], params
    )
    steps = list(train_steps(gradients(ours), data(4), optimizer, schedule))

    wanted_optimizer = reference(
        name,
        [
            {"params": [plain.weight], "weight_decay": 0.1},
            {"params": [plain.bias], "weight_decay": 0.02},
        ],
    )
    for step, momentum, (x, y), (loss, size) in zip(schedule, momenta, data(4), steps, strict=True):
        for group, lr in zip(wanted_optimizer.param_groups, (0.1, 0.01), strict=True):
            group["lr"] = lr * step.lr
            group |= {"momentum": momentum} if name == "sgd" else {"betas": (momentum, 0.999)}
        wanted = nn.functional.cross_entropy(plain(x), y)
        assert loss == pytest.approx(wanted.item()) and size == 8
        wanted_optimizer.zero_grad()
        wanted.backward()  # type: ignore[no-untyped-call]
        wanted_optimizer.step()
    assert torch.equal(ours.weight, plain.weight)
    assert torch.equal(ours.bias, plain.bias)


def test_a_group_without_parameters_is_left_out() -> None:
    layer = nn.Linear(2, 2)
    optimizer = Optimizer(
        [ParameterGroup([], 1.0), ParameterGroup(list(layer.parameters()), 0.5)], SGD
    )
    assert optimizer.lrs() == [0.5]


def step_of(name: str, weight_decay: float, clip_norm: float, step: Step) -> torch.Tensor:
    """How a layer moves in one step."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    before = layer.weight.detach().clone()
    params = SGD.model_copy(update={"name": name, "clip_norm": clip_norm})
    optimizer = Optimizer([ParameterGroup(list(layer.parameters()), 0.1, weight_decay)], params)
    list(train_steps(gradients(layer), data(1), optimizer, [step]))
    return layer.weight.detach() - before


def test_sgdw_decays_apart_from_the_gradient() -> None:
    torch.manual_seed(0)
    weight = nn.Linear(4, 3).weight.detach()
    without, half = step_of("sgd", 0.0, 0.0, Step(0.5)), step_of("sgdw", 0.3, 0.0, Step(0.5))
    torch.testing.assert_close(half - without, -0.1 * 0.5 * 0.3 * weight)


def test_gradients_are_clipped_by_the_norm_of_all_of_them() -> None:
    free, loose = step_of("sgd", 0.0, 0.0, Step(1.0)), step_of("sgd", 0.0, 1e6, Step(1.0))
    assert torch.equal(free, loose)
    clipped = step_of("sgd", 0.0, 0.1, Step(1.0))
    assert 0 < clipped.norm() <= 0.1 * 0.1 * 1.001
    torch.testing.assert_close(clipped / clipped.norm(), free / free.norm(), rtol=1e-3, atol=1e-4)
