"""What is trained on, and what one phase of a training trains on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headstart.network.objective import Scores
from headstart.training.divergence import Cause
from headstart.training.loop import Source
from headstart.training.optimizer import ParameterGroup
from headstart.training.schedules import Step, constant


@dataclass(frozen=True)
class Material:
    """The data of a training and its evaluation: pictures of one size, or their cached features.

    Attributes:
        source: of the training pictures.
        evaluate: gives the model's current scores on the valid split; None without a valid split.
    """

    source: Source
    evaluate: Callable[[], Scores] | None


@dataclass(frozen=True)
class Phase:
    """What one phase trains, on which data, and by which schedule.

    Attributes:
        groups: parameters with the highest rate of each group.
        set_mode: puts the model's modules into the modes they train in; called before each epoch.
        material: what it is trained on; phases of one size share one.
        cycles: epochs of each cycle.
        schedule: number of batches of an epoch -> the steps of the whole phase.
        lr_key: dotted key of the last group's rate, for the error of a training that diverged.
        remedy: what to set instead, as a sentence for that error.
        head_alone: whether only the head trains, so that its cycles say nothing about more.
    """

    groups: Sequence[ParameterGroup]
    set_mode: Callable[[], object]
    material: Material
    cycles: Sequence[int] = ()
    schedule: Callable[[int], Sequence[Step]] = constant
    lr_key: str = "lr"
    remedy: str = "Set a lower one."
    head_alone: bool = False

    @property
    def cause(self) -> Cause:
        """The rate that the error names if the training diverges in this phase."""
        return Cause(self.lr_key, self.groups[-1].lr, self.remedy)
