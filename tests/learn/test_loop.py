from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from headstart.core.schedules import Step
from headstart.learn.loop import (
    OptimizerParams,
    ParameterGroup,
    batch_rows,
    create_optimizer,
    mean_loss,
    n_batches,
    train_steps,
)

SGD = OptimizerParams(name="sgd", momentum=0.9, weight_decay=0.0, clip_norm=0.0, batch_size=8)


@given(n=st.integers(2, 500), batch_size=st.integers(2, 70))
def test_batches_hold_every_row_once_and_never_just_one(n: int, batch_size: int) -> None:
    batches = batch_rows(np.arange(n)[::-1], batch_size)
    assert np.array_equal(np.concatenate(batches), np.arange(n)[::-1])
    sizes = [len(batch) for batch in batches]
    assert len(batches) == n_batches(n, batch_size)
    assert max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1
    assert min(sizes) > 1 or batch_size < 4


def data(n: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(8, 4, generator=generator), torch.randint(0, 3, (8,), generator=generator))
        for _ in range(n)
    ]


def reference(name: str, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """torch's own, with the weight decay of each of `groups`."""
    if name == "sgd":
        return torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(groups, lr=0.1, betas=(0.9, 0.999))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_loop_is_a_plain_torch_loop_with_scheduled_rates(name: str) -> None:
    torch.manual_seed(0)
    ours, plain = nn.Linear(4, 3), nn.Linear(4, 3)
    weight, bias = ours.parameters()
    plain.load_state_dict(ours.state_dict())
    factors = [1.0, 0.5, 0.0, 0.25]
    params = SGD.model_copy(update={"name": name})
    optimizer = create_optimizer(
        [ParameterGroup([weight], 0.1, 0.1), ParameterGroup([bias], 0.01, 0.02)], params
    )
    schedule = [Step(factor) for factor in factors]
    steps = list(train_steps(ours, data(4), optimizer, schedule, nn.functional.cross_entropy))

    wanted_optimizer = reference(
        name,
        [
            {"params": [plain.weight], "weight_decay": 0.1},
            {"params": [plain.bias], "weight_decay": 0.02},
        ],
    )
    for factor, (x, y), (loss, size) in zip(factors, data(4), steps, strict=True):
        for group, lr in zip(wanted_optimizer.param_groups, (0.1, 0.01), strict=True):
            group["lr"] = lr * factor
        wanted = nn.functional.cross_entropy(plain(x), y)
        assert loss == pytest.approx(wanted.item()) and size == 8
        wanted_optimizer.zero_grad()
        wanted.backward()  # type: ignore[no-untyped-call]
        wanted_optimizer.step()
    torch.testing.assert_close(ours.weight, plain.weight)
    torch.testing.assert_close(ours.bias, plain.bias)


def test_the_epoch_loss_weighs_batches_by_their_size() -> None:
    assert mean_loss([(1.0, 3), (5.0, 1)]) == 2.0


def test_a_group_without_parameters_is_left_out() -> None:
    layer = nn.Linear(2, 2)
    optimizer = create_optimizer(
        [ParameterGroup([], 1.0), ParameterGroup(list(layer.parameters()), 0.5)], SGD
    )
    assert [group["highest_lr"] for group in optimizer.param_groups] == [0.5]


def step_of(name: str, weight_decay: float, clip_norm: float, step: Step) -> torch.Tensor:
    """How a layer moves in one step."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    before = layer.weight.detach().clone()
    params = SGD.model_copy(update={"name": name})
    optimizer = create_optimizer(
        [ParameterGroup(list(layer.parameters()), 0.1, weight_decay)], params
    )
    loss = nn.functional.cross_entropy
    list(train_steps(layer, data(1), optimizer, [step], loss, clip_norm))
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


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_step_may_set_the_momentum(name: str) -> None:
    layer = nn.Linear(4, 3)
    params = SGD.model_copy(update={"name": name})
    optimizer = create_optimizer([ParameterGroup(list(layer.parameters()), 0.1)], params)
    schedule = [Step(1.0), Step(1.0, 0.8)]
    found = []
    for _ in train_steps(layer, data(2), optimizer, schedule, nn.functional.cross_entropy):
        group = optimizer.param_groups[0]
        found.append(group["betas"][0] if "betas" in group else group["momentum"])
    assert found == [0.9, 0.8]
