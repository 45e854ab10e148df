"""One trial: the head's two stages on cached activations, scored on valid as they score it.

The stages' own functions train (`steps/train_head.py`, `steps/train_augmented.py`). So with the params
of params.yaml a trial is what `dvc repro` makes, to the bit.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, Self

import numpy as np

from headstart.activations.stored import SizedActivations
from headstart.backbone.device import Compute
from headstart.labels.labels import Labels
from headstart.network.head import HeadParams, restore_head
from headstart.network.objective import Objective, Scores
from headstart.project.params import parse_section
from headstart.project.report import Report, Silent
from headstart.project.work import code_digest
from headstart.steps.train_augmented import TrainAugmentedParams, train_augmented
from headstart.steps.train_head import TrainHeadParams, train_head
from headstart.training.cached_head import score_head
from headstart.training.feature_source import FeatureSource
from headstart.training.lr_curve import Suggestion
from headstart.training.optimizer import OptimizerParams
from headstart.training.sampling import SamplingParams

Measure = Literal["log_loss", "score"]
"""What trials are judged by: the log loss of valid, or its accuracy (F2 of many labels)."""

ROOMS = (
    "activations", "backbone", "labels", "network", "pictures", "project", "scores", "sweeping",
    "training", "steps/train_augmented.py", "steps/train_head.py",
)  # fmt: skip
"""The code that shapes a trial."""


MARKS = 4
"""At each quarter of its epochs but the last, a trial is compared with the others."""


def mean_loss(scores: Sequence[Scores], measure: Measure) -> float:
    """The mean over trainings of what is lower for better params."""
    return fmean(of.log_loss if measure == "log_loss" else -of.score for of in scores)


@dataclass(frozen=True)
class HeadParamsOfAll:
    """The sections that train the head."""

    head: HeadParams
    optimizer_head: OptimizerParams
    sampling: SamplingParams
    train_head: TrainHeadParams
    train_augmented: TrainAugmentedParams

    @classmethod
    def of(cls, values: Mapping[str, Any], path: Path) -> Self:
        """Read the sections out of `values`.

        Raises:
            ParamsError: a section is missing or wrong.
        """
        return cls(
            parse_section("head", HeadParams, values, path),
            parse_section("optimizer_head", OptimizerParams, values, path),
            parse_section("sampling", SamplingParams, values, path),
            parse_section("train_head", TrainHeadParams, values, path),
            parse_section("train_augmented", TrainAugmentedParams, values, path),
        )

    @property
    def n_epochs(self) -> int:
        """Epochs of both stages."""
        phases = self.train_augmented.phases
        return self.train_head.n_epochs + sum(phase.n_epochs() for phase in phases)

    def other_seed(self, number: int) -> Self:
        """The same with both seeds higher by `number`."""
        head, augmented = self.train_head, self.train_augmented
        return replace(
            self,
            train_head=head.model_copy(update={"seed": head.seed + number}),
            train_augmented=augmented.model_copy(update={"seed": augmented.seed + number}),
        )


@dataclass(frozen=True)
class CachedSet:
    """What all trials of a sweep share.

    Attributes:
        plain: activations of the plain view.
        views: activations of V views of train.
        labels: splits and targets; valid has labelled pictures.
        suggestion: of find-lr-head, for train_head.lr: auto.
        compute: device and precision.
    """

    plain: SizedActivations
    views: SizedActivations
    labels: Labels
    suggestion: Suggestion
    compute: Compute

    def class_sizes(self) -> list[int]:
        """Pictures of train that have each label."""
        labels = self.labels
        numbers = labels.class_numbers(labels.labelled("train"))
        flat = [number for of_one in numbers for number in of_one or ()]
        return list(map(int, np.bincount(flat, minlength=len(labels.classes))))

    def train(self, params: HeadParamsOfAll, report: Report | None = None) -> Scores:
        """Train the head through both stages; its scores of the plain view of valid.

        Args:
            params: all sections that train the head.
            report: is told each epoch, and may end the training by an exception.

        Raises:
            DivergedError: the training diverged.
            HeadstartError: sections contradict each other.
        """
        told, compute = report or Silent(), self.compute
        with warnings.catch_warnings():
            # More epochs than views is a value to try, not something to say a hundred times.
            warnings.filterwarnings("ignore", r"train_augmented\.phases have .* views repeat")
            start = train_head(
                self.plain, self.labels, params.train_head, params.head, params.optimizer_head,
                self.suggestion, params.sampling, compute, told, compare=False,
            )  # fmt: skip
            training = train_augmented(
                self.views, self.plain, self.labels, start.checkpoint, params.train_augmented,
                params.optimizer_head, params.sampling, compute, told,
            )  # fmt: skip
        checkpoint, ids = training.checkpoint, self.labels.labelled("valid")
        cached = self.plain.by_size[checkpoint.info.size_px]
        valid = FeatureSource(cached.of(ids), self.labels.targets(ids), compute.device)
        head = restore_head(checkpoint.part("head"), checkpoint.info.dropout).to(compute.device)
        return score_head(head, valid, Objective(self.labels.task))


def code() -> str:
    """Digest of the code that shapes a trial."""
    return code_digest(*ROOMS)


Judge = Callable[[int, float, float], None]
"""Is told a quarter (1 to 3), and log loss and score of valid there; may raise to end it."""


class Watched(Silent):
    """A report that has a trial judged at each quarter of its epochs but the last.

    Trials have different numbers of epochs, so they are compared at the same part of them.
    """

    def __init__(self, n_epochs: int, judge: Judge) -> None:
        """`n_epochs` of both stages."""
        self._n_epochs, self._judge = n_epochs, judge
        self._n_done = self._marked = 0

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Count an epoch that has ended."""
        self._n_done += 1
        mark = MARKS * self._n_done // self._n_epochs
        if self._marked < mark < MARKS:
            self._marked = mark
            self._judge(mark, values["valid_loss"], values["valid_score"])
