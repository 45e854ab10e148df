"""Divergence: the first number that is not finite ends the training, with an error that names it."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from headstart.network.objective import Scores
from headstart.project.errors import HeadstartError
from headstart.project.finite import not_finite

N_UNREAD = 50  # losses that stay on a GPU before they are read


class DivergedError(HeadstartError):
    """A loss, a score or a weight is not finite."""


class Cause(NamedTuple):
    """The learning rate of the last update of the weights.

    Attributes:
        key: its dotted key.
        lr: its value.
        remedy: what to set instead, as a sentence.
    """

    key: str
    lr: float
    remedy: str


@dataclass(frozen=True)
class Watch:
    """Looks for numbers that are not finite in one epoch.

    Attributes:
        epoch: counted from 0.
        n_steps: number of steps of the epoch.
        cause: the rate of the epoch.
        before: the rate that moved the weights before its first step; None: they have not moved.
        n_done: number of steps that were done before the training was broken off.
    """

    epoch: int
    n_steps: int
    cause: Cause
    before: Cause | None
    n_done: int = 0

    def losses(self, steps: Iterable[tuple[Tensor, int]]) -> Iterator[tuple[Tensor, int]]:
        """Pass on the steps of `train_steps`, and check their losses.

        On the CPU each loss is checked before the next step. Reading a loss from a GPU waits until the
        GPU has done all its work, so there N_UNREAD losses are read at once, and the rest at the end
        of the epoch.

        Raises:
            DivergedError: a loss is not finite; the first such one is named.
        """
        unread: list[Tensor] = []
        n_read = self.n_done
        for loss, size in steps:
            unread.append(loss)
            if loss.device.type == "cpu" or len(unread) == N_UNREAD:
                self._read(unread, n_read)
                n_read += len(unread)
                unread = []
            yield loss, size
        if unread:
            self._read(unread, n_read)

    def end(self, model: nn.Module) -> None:
        """Check the weights and statistics, because no loss was computed after the last update.

        Raises:
            DivergedError: one of them is not finite.
        """
        if names := not_finite(model.state_dict()):
            where = f"after epoch {self.epoch + 1}"
            raise _diverged(f"numbers in {names} are not finite {where}", self.cause)

    def scored(self, scores: Scores) -> None:
        """Check the scores of valid after the epoch.

        Raises:
            DivergedError: the log loss is not finite.
        """
        require_finite(scores, f"after epoch {self.epoch + 1}", self.cause)

    def _read(self, losses: list[Tensor], n_before: int) -> None:
        for i, loss in enumerate(torch.stack(losses).tolist(), start=n_before):
            if not math.isfinite(loss):
                where = f"at step {i + 1} of {self.n_steps} of epoch {self.epoch + 1}"
                raise _diverged(f"the loss is {loss} {where}", self.cause if i else self.before)


def require_finite(scores: Scores, when: str, cause: Cause | None) -> None:
    """Refuse scores with a log loss that is not finite.

    Raises:
        DivergedError: the log loss is not finite.
    """
    if not math.isfinite(scores.log_loss):
        raise _diverged(f"the log loss of valid is {scores.log_loss} {when}", cause)


def _diverged(found: str, cause: Cause | None) -> DivergedError:
    if cause is None:
        return DivergedError(
            "The weights or the inputs that the training starts from are not finite, or too large: "
            f"{found}, before anything was trained. The rate is not the reason; look at the "
            "earlier stages."
        )
    return DivergedError(
        f"The training diverged: {found}, where {cause.key} is {cause.lr:g}. Nothing is written. "
        f"{cause.remedy}"
    )
