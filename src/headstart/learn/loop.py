"""The one training loop: it serves the head, the views, fine-tuning and both range tests."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from headstart.core.sampling import Rows
from headstart.core.section import Section

Loss = Callable[[Tensor, Tensor], Tensor]


class OptimizerParams(Section):
    """What every optimiser needs, beside its rate."""

    name: Literal["sgd", "adamw"] = Field(description="sgd (with momentum) or adamw")
    momentum: float = Field(ge=0, lt=1, description="momentum of sgd, beta 1 of adamw, in [0, 1)")
    weight_decay: float = Field(ge=0, description="L2 for sgd, decoupled for adamw, at least 0")
    batch_size: int = Field(ge=2, description="pictures a step, at least 2")


class Source(Protocol):
    """Where an epoch's batches come from: cached features or live pictures."""

    def epoch(self, epoch: int, batches: Sequence[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each batch of rows, and of copies of them, its inputs and its targets."""
        ...


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share one rate; `lr` is the highest rate of their schedule."""

    parameters: Sequence[nn.Parameter]
    lr: float


def create_optimizer(
    groups: Iterable[ParameterGroup], params: OptimizerParams
) -> torch.optim.Optimizer:
    """A fresh optimiser over the groups that have anything to train."""
    torch_groups = [
        {"params": list(g.parameters), "lr": g.lr, "highest_lr": g.lr}
        for g in groups
        if g.parameters
    ]
    match params.name:
        case "sgd":
            return torch.optim.SGD(
                torch_groups, momentum=params.momentum, weight_decay=params.weight_decay
            )
        case "adamw":
            betas = (params.momentum, 0.999)
            return torch.optim.AdamW(torch_groups, betas=betas, weight_decay=params.weight_decay)


def batch_rows(order: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut an epoch's order into batches of nearly equal size, none larger than `batch_size`.

    No picture is dropped, and no batch of one is left over for batch norm to fail on.
    """
    return np.array_split(order, math.ceil(len(order) / batch_size))


def n_batches(n: int, batch_size: int) -> int:
    """Steps of an epoch over n pictures."""
    return math.ceil(n / batch_size)


def train_steps(
    forward: Callable[[Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    factors: Iterable[float],
    loss_function: Loss,
) -> Iterator[tuple[float, int]]:
    """One optimiser step a batch; yields the raw mean loss of the batch and the batch's size.

    Each step sets every group's rate to its highest one times the step's factor. Stops with the
    shorter of `batches` and `factors`.
    """
    for factor, (inputs, targets) in zip(factors, batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = group["highest_lr"] * factor
        loss = loss_function(forward(inputs), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield loss.item(), len(targets)


def mean_loss(steps: Iterable[tuple[float, int]]) -> float:
    """Mean over pictures of the losses of `train_steps`: raw, with dropout and augmentation on."""
    losses, sizes = zip(*steps, strict=True)
    return float(np.average(losses, weights=sizes))
