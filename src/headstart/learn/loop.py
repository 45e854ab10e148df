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
from headstart.core.schedules import Step
from headstart.core.section import Section

Loss = Callable[[Tensor, Tensor], Tensor]


class OptimizerParams(Section):
    """What every optimiser needs, beside its rate."""

    name: Literal["sgd", "sgdw", "adam", "adamw"] = Field(
        description="sgd (with momentum) or adam, whose weight decay is L2; sgdw or adamw, whose "
        "weight decay is apart from the gradient"
    )
    momentum: float = Field(ge=0, lt=1, description="momentum of sgd, beta 1 of adam, in [0, 1)")
    weight_decay: float = Field(ge=0, description="at least 0")
    clip_norm: float = Field(
        ge=0, description="gradients of a larger norm, all together, are scaled down to it; 0: none"
    )
    batch_size: int = Field(ge=2, description="pictures a step, at least 2")


class Source(Protocol):
    """Where an epoch's batches come from: cached features or live pictures."""

    def epoch(self, epoch: int, batches: Sequence[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each batch of rows, and of copies of them, its inputs and its targets."""
        ...


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share one rate, the highest of their schedule, and one weight decay."""

    parameters: Sequence[nn.Parameter]
    lr: float
    weight_decay: float = 0.0


def create_optimizer(
    groups: Iterable[ParameterGroup], params: OptimizerParams
) -> torch.optim.Optimizer:
    """A fresh optimiser over the groups that have anything to train.

    `sgdw` is torch's SGD, whose groups hold the decay as `decoupled_decay` for `train_steps` to
    apply: torch has no such SGD.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv 1711.05101.
    """
    decoupled = params.name == "sgdw"
    torch_groups = [
        {
            "params": list(g.parameters),
            "lr": g.lr,
            "highest_lr": g.lr,
            "weight_decay": 0.0 if decoupled else g.weight_decay,
            "decoupled_decay": g.weight_decay if decoupled else 0.0,
        }
        for g in groups
        if g.parameters
    ]
    betas = (params.momentum, 0.999)
    match params.name:
        case "sgd" | "sgdw":
            return torch.optim.SGD(torch_groups, momentum=params.momentum)
        case "adam":
            return torch.optim.Adam(torch_groups, betas=betas)
        case "adamw":
            return torch.optim.AdamW(torch_groups, betas=betas)


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
    schedule: Iterable[Step],
    loss_function: Loss,
    clip_norm: float = 0.0,
) -> Iterator[tuple[float, int]]:
    """One optimiser step a batch; yields the raw mean loss of the batch and the batch's size.

    Each step sets every group's rate to its highest one times the step's factor, and its momentum
    where the step has one. Stops with the shorter of `batches` and `schedule`.
    """
    for step, (inputs, targets) in zip(schedule, batches, strict=False):
        _set(optimizer, step)
        loss = loss_function(forward(inputs), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if clip_norm:
            trained = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(trained, clip_norm)
        _decay(optimizer)
        optimizer.step()
        yield loss.item(), len(targets)


def _set(optimizer: torch.optim.Optimizer, step: Step) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["highest_lr"] * step.lr
        if step.momentum is None:
            continue
        if "betas" in group:
            group["betas"] = (step.momentum, group["betas"][1])
        else:
            group["momentum"] = step.momentum


@torch.no_grad()
def _decay(optimizer: torch.optim.Optimizer) -> None:
    """p <- p - lr * decay * p, of the parameters that have a gradient, for `sgdw`."""
    for group in optimizer.param_groups:
        if group["decoupled_decay"]:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["decoupled_decay"])


def mean_loss(steps: Iterable[tuple[float, int]]) -> float:
    """Mean over pictures of the losses of `train_steps`: raw, with dropout and augmentation on."""
    losses, sizes = zip(*steps, strict=True)
    return float(np.average(losses, weights=sizes))
