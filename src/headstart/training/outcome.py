"""The result of a training: its epochs, and the weights that were kept."""

from dataclasses import dataclass, field, replace
from typing import Self

import pandas as pd
from torch import Tensor

from headstart.labels.task import Task
from headstart.network.objective import Scores
from headstart.training.stop_rule import StopRule, WorseFirstCycle


@dataclass(frozen=True)
class Epoch:
    """One epoch of training. Counts start at 0; `lr` is the last group's highest rate in the epoch."""

    epoch: int
    phase: int
    cycle: int
    lr: float
    train_loss: float
    scores: Scores | None
    ends_cycle: bool

    def values(self) -> dict[str, float]:
        """The epoch as a row of a table; no valid columns where there is no valid split."""
        row = {
            "epoch": self.epoch,
            "phase": self.phase,
            "cycle": self.cycle,
            "lr": self.lr,
            "train_loss": self.train_loss,
        }
        if self.scores:
            row |= {"valid_loss": self.scores.log_loss, "valid_score": self.scores.score}
        return row

    def in_total(self) -> Self:
        """The epoch without the scores of each picture."""
        return replace(self, scores=self.scores and self.scores.total())

    def end(self, of_head_alone: bool) -> "Point | None":
        """The end of the epoch's cycle as a point; None where there is no valid split."""
        if self.scores is None:
            return None
        return Point(self.scores, self.epoch + 1, self.phase, True, of_head_alone)


@dataclass(frozen=True)
class Point:
    """A point of the training at which valid judged the model: its weights may be kept.

    Attributes:
        scores: of the valid split, in total and of each picture.
        epoch: the number of epochs behind the weights.
        phase: the phase that the weights come from; None is the starting point.
        ends_cycle: whether a cycle ends here; otherwise a training begins at a size at which the
            model was not judged yet.
        of_head_alone: whether the cycle trained only the head.
    """

    scores: Scores
    epoch: int
    phase: int | None
    ends_cycle: bool = False
    of_head_alone: bool = False


@dataclass
class FitResult:
    """The result of a training.

    Attributes:
        epochs: in order, with scores in total.
        points: in order, all that the rule compared; 16 bytes each for a picture of valid.
        kept_epoch: the number of epochs behind the weights that were kept; 0 is the starting point.
        kept_phase: the phase that the kept weights come from; None is the starting point.
        stopped: whether a phase was ended early, by a cycle that ended worse than the best one.
        worse_first_cycle: why the whole training ended after its first cycle; None if it went on.
        start: scores of the starting point, where a rule asked for them.
        kept: scores of the weights that were kept.
        snapshots: the weights at the last ends of cycles of the last phase, oldest first.
        snapshot_is_kept: whether the only snapshot are the weights that were kept.
    """

    epochs: list[Epoch] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    kept_epoch: int = 0
    kept_phase: int | None = None
    stopped: bool = False
    worse_first_cycle: WorseFirstCycle | None = None
    start: Scores | None = None
    kept: Scores | None = None
    snapshots: list[dict[str, Tensor]] = field(default_factory=list)
    snapshot_is_kept: bool = False

    def table(self) -> pd.DataFrame:
        """A row an epoch, for `dvc plots`."""
        return pd.DataFrame([epoch.values() for epoch in self.epochs])

    def metrics(self, task: Task) -> dict[str, object]:
        """The last epoch's losses and scores, named as the task names them."""
        last = self.epochs[-1]
        metrics: dict[str, object] = {"n_epochs": len(self.epochs), "train_loss": last.train_loss}
        if last.scores:
            metrics["valid"] = last.scores.named(task)
        return metrics

    def comparison(self, task: Task, rule: StopRule) -> dict[str, object]:
        """Scores of the start and of the kept weights, and whether these are worse than the start.

        With the scores of the first cycle, if it ended the training.
        """
        if not self.start or not self.kept:
            return {}
        compared: dict[str, object] = {
            "start": self.start.named(task),
            "kept": self.kept.named(task),
            "worse_than_start": rule.better(self.start, self.kept),
        }
        if self.worse_first_cycle:
            compared["worse_first_cycle"] = self.worse_first_cycle.named(task)
        return compared
