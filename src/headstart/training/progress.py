"""How far a training in phases has come."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from headstart.training.best_weights import BestWeights
from headstart.training.optimizer import Optimizer
from headstart.training.outcome import FitResult, Point
from headstart.training.resume import FitState, Moving


@dataclass
class Progress:
    """How far `Trainer.fit` has come.

    Attributes:
        best: what is judged; None: nothing is.
        result: of the epochs so far.
        phase: number of the phase that is trained, or comes next.
        optimizer: of this phase; None before it begins.
        epoch: epochs done in this phase.
        steps: loss and number of pictures of each step done in the epoch.
        draws: of a training that goes on inside an epoch: the state of torch's draws.
    """

    best: BestWeights | None
    result: FitResult = field(default_factory=FitResult)
    phase: int = 0
    optimizer: Optimizer | None = None
    epoch: int = 0
    steps: list[tuple[Tensor | float, int]] = field(default_factory=list)
    draws: list[Tensor] | None = None

    def state(self, model: nn.Module) -> FitState:
        """All that the rest of the training needs; reading the losses waits for a GPU."""
        return FitState(
            moving=Moving.of(model, self.optimizer),
            standing=self.best.standing if self.best else None,
            result=self.result,
            phase=self.phase,
            epoch=self.epoch,
            steps=[(float(loss), size) for loss, size in self.steps],
        )

    def restore(self, state: FitState) -> None:
        """Take over the place and the results of a broken-off training."""
        self.result, self.phase, self.epoch = state.result, state.phase, state.epoch
        self.steps = [*state.steps]
        self.draws = state.moving.draws if state.steps else None
        if self.best and state.standing:
            self.best.standing = state.standing

    def judge(self, point: Point | None) -> bool:
        """Note a point at which valid judged the model; whether the rule ends the phase there.

        Without a rule, or a point, nothing is noted.
        """
        if self.best is None or point is None:
            return False
        self.result.points.append(point)
        return self.best.judge(point)

    def next_phase(self) -> None:
        """Note that the phase has ended."""
        self.phase, self.epoch, self.optimizer = self.phase + 1, 0, None

    def where(self, n_epochs: int, n_steps: int) -> str:
        """The place in words, of `n_epochs` in all phases with `n_steps` each."""
        n_done = len(self.result.epochs)
        if n_done == n_epochs:
            return f"after epoch {n_done} of {n_epochs}"
        epoch = f"epoch {n_done + 1} of {n_epochs}"
        if not self.steps:
            return f"at {epoch}"
        if len(self.steps) == n_steps:
            return f"at the end of {epoch}"
        return f"at step {len(self.steps) + 1:,} of {n_steps:,} of {epoch}"
