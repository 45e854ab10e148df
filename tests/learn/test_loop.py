from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from headstart.learn.loop import (
    OptimizerParams,
    ParameterGroup,
    batch_rows,
    create_optimizer,
    mean_loss,
    n_batches,
    train_steps,
)

SGD = OptimizerParams(name="sgd", momentum=0.9, weight_decay=0.0, batch_size=8)


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


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_the_loop_is_a_plain_torch_loop_with_scheduled_rates(name: str) -> None:
    torch.manual_seed(0)
    ours, plain = nn.Linear(4, 3), nn.Linear(4, 3)
    weight, bias = ours.parameters()
    plain.load_state_dict(ours.state_dict())
    factors = [1.0, 0.5, 0.0, 0.25]
    params = SGD.model_copy(update={"name": name, "weight_decay": 0.1})
    optimizer = create_optimizer(
        [ParameterGroup([weight], 0.1), ParameterGroup([bias], 0.01)], params
    )
    steps = list(train_steps(ours, data(4), optimizer, factors, nn.functional.cross_entropy))

    groups: list[dict[str, Any]] = [{"params": [plain.weight]}, {"params": [plain.bias]}]
    reference: torch.optim.Optimizer = (
        torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=0.1)
        if name == "sgd"
        else torch.optim.AdamW(groups, lr=0.1, betas=(0.9, 0.999), weight_decay=0.1)
    )
    for factor, (x, y), (loss, size) in zip(factors, data(4), steps, strict=True):
        for group, lr in zip(reference.param_groups, (0.1, 0.01), strict=True):
            group["lr"] = lr * factor
        wanted = nn.functional.cross_entropy(plain(x), y)
        assert loss == pytest.approx(wanted.item()) and size == 8
        reference.zero_grad()
        wanted.backward()  # type: ignore[no-untyped-call]
        reference.step()
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
