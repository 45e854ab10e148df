"""The interface through which a training goes on that was broken off, and what its state holds.

The training does not know where its states are kept (`kept_training`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

from torch import Tensor, nn

from headstart.backbone.seeding import draws_so_far
from headstart.training.best_weights import Standing
from headstart.training.lr_curve import LrCurve
from headstart.training.optimizer import Optimizer
from headstart.training.outcome import FitResult
from headstart.training.ranks import Ranks

S = TypeVar("S")


class Resume(Protocol):
    """Keeps the state of a training now and then, and gives the last one of a broken-off run."""

    def last(self, kind: type[S]) -> S | None:
        """The last state that was kept, if it is one of `kind`; asked for before the first step."""
        ...

    def offer(self, make: Callable[[], object]) -> None:
        """Keep what `make` gives, if a state is due; called after each step."""
        ...

    def goes_on(self, where: str) -> None:
        """Say that the training goes on, such as "at epoch 5 of 7"."""
        ...


class FromTheStart:
    """Keeps nothing: each training begins at its start (tests, sweeps, notebooks)."""

    def last(self, kind: type[S]) -> S | None:
        """None."""
        return None

    def offer(self, make: Callable[[], object]) -> None:
        """Do nothing."""

    def goes_on(self, where: str) -> None:
        """Do nothing."""


FROM_THE_START = FromTheStart()


@dataclass(frozen=True)
class SharedResume:
    """Lets all processes of a training go on from the state that the first one has kept."""

    resume: Resume
    ranks: Ranks

    def last(self, kind: type[S]) -> S | None:
        """The first process's last state."""
        return self.ranks.from_first(lambda: self.resume.last(kind))

    def offer(self, make: Callable[[], object]) -> None:
        """Keep a state, in the first process."""
        if self.ranks.is_first:
            self.resume.offer(make)

    def goes_on(self, where: str) -> None:
        """Say it, in the first process."""
        if self.ranks.is_first:
            self.resume.goes_on(where)


@dataclass(frozen=True)
class Moving:
    """What each step of a training changes.

    Attributes:
        model: weights and statistics.
        optimizer: what it has built up (`Optimizer.built_up`); None between phases.
        draws: the state of torch's draws, which dropout moves on.
    """

    model: dict[str, Tensor]
    optimizer: list[tuple[Tensor, ...]] | None
    draws: list[Tensor]

    @classmethod
    def of(cls, model: nn.Module, optimizer: Optimizer | None) -> Self:
        """As they are now; the tensors are not copied."""
        tensors = {name: tensor.detach() for name, tensor in model.state_dict().items()}
        built_up = optimizer.built_up() if optimizer else None
        return cls(tensors, built_up, draws_so_far(next(iter(tensors.values())).device))

    def restore(self, model: nn.Module, optimizer: Optimizer | None) -> None:
        """Give model and optimiser what they had; the draws are left to the caller."""
        model.load_state_dict(self.model)
        if optimizer and self.optimizer is not None:
            optimizer.restore(self.optimizer)


@dataclass(frozen=True)
class FitState:
    """A training in phases, broken off between two steps (`progress.Progress`).

    Attributes:
        moving: model, optimiser and draws.
        standing: what the epochs were compared with; None: nothing is compared.
        result: of the epochs so far.
        phase: number of the phase that is trained, or comes next.
        epoch: epochs done in this phase.
        steps: loss and number of pictures of each step done in the epoch.
    """

    moving: Moving
    standing: Standing | None
    result: FitResult
    phase: int
    epoch: int
    steps: list[tuple[float, int]] = field(default_factory=list)


@dataclass(frozen=True)
class RangeState:
    """A range test, broken off between two steps: its curve so far, and model, optimiser and draws."""

    moving: Moving
    curve: LrCurve
