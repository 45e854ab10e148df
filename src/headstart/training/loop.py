"""The one training loop: it serves the head, the views, fine-tuning and both range tests."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.project.errors import HeadstartError
from headstart.training.optimizer import Optimizer
from headstart.training.sampling import Rows
from headstart.training.schedules import Step

B = TypeVar("B")
Loss = Callable[[Tensor, Tensor], Tensor]


class Source(Protocol):
    """Where an epoch's batches come from: cached features or live pictures."""

    def epoch(self, epoch: int, batches: Sequence[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the inputs and the targets of each batch of rows."""
        ...


def batch_rows(order: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut an epoch's order into batches of nearly equal size; no picture is dropped.

    No batch is larger than `batch_size`, with one exception: with a `batch_size` of 2 and an odd
    number of pictures one batch has three. The alternative is a batch of one, on which batch norm
    fails.

    Raises:
        ValueError: there are fewer than 2 pictures.
    """
    return np.array_split(order, n_batches(len(order), batch_size))


def n_batches(n: int, batch_size: int) -> int:
    """Steps of an epoch over n pictures: as many as `batch_rows` makes batches.

    Raises:
        HeadstartError: n is below 2.
    """
    if n < 2:
        raise HeadstartError(
            f"train has {n} labelled pictures; a training needs at least 2, because batch norm "
            "takes its mean and its variance over the pictures of a batch."
        )
    return min(math.ceil(n / batch_size), n // 2)


def train_steps(
    gradients: Callable[[B], tuple[Tensor, int]],
    batches: Iterable[B],
    optimizer: Optimizer,
    schedule: Iterable[Step],
) -> Iterator[tuple[Tensor, int]]:
    """Make one optimiser step a batch; yield the raw mean loss of the batch and the batch's size.

    `gradients` gives the parameters their gradients of a batch, and returns its loss and its size.

    The loss stays on its device. Reading a loss from a GPU waits for all its work, and meanwhile the
    GPU gets no next step (`divergence.Watch` reads many at once).
    Stops with the shorter of `batches` and `schedule`.
    """
    for step, batch in zip(schedule, batches, strict=False):
        optimizer.set(step)
        optimizer.zero_grad()
        loss, n = gradients(batch)
        optimizer.step()
        yield loss, n


def batch_loss(step: tuple[Tensor | float, int]) -> dict[str, float]:
    """The loss of a step, for a progress bar; waits for a GPU."""
    return {"loss": float(step[0])}


def mean_loss(steps: Iterable[tuple[Tensor | float, int]]) -> float:
    """Mean over pictures of the losses of `train_steps`: raw, with dropout and augmentation on."""
    losses, sizes = zip(*steps, strict=True)
    return float(np.average([float(loss) for loss in losses], weights=sizes))
