"""What a network says of a picture, and how its probabilities decide; imports no torch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headstart.evaluation.costs import cheapest_classes
from headstart.labels.task import Task

if TYPE_CHECKING:
    from headstart.explaining.heat_maps import Heat

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture.

    Attributes:
        number: of the picture among those that were given, from 0.
        probabilities: (K,) of the classes; empty if the picture cannot be read.
        problem: why it cannot be read; empty for a good picture.
        heat: where the networks saw each label that is decided; empty where it was not asked.
    """

    number: int
    probabilities: Floats
    problem: str = ""
    heat: "Mapping[str, Heat]" = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """How probabilities decide.

    Attributes:
        classes: K names, in the order of the probabilities.
        task: single_label or multi_label.
        thresholds: (K) of multi_label; else empty.
        costs: (K, K), true class by given class, or None.
    """

    classes: tuple[str, ...]
    task: Task
    thresholds: Sequence[float] = ()
    costs: Sequence[Sequence[float]] | None = None


class Decides(ABC):
    """What has a rule, and so can name classes."""

    @property
    @abstractmethod
    def rule(self) -> Rule:
        """How it decides."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The K classes, in the order of the probabilities."""
        return self.rule.classes

    @property
    def decided(self) -> str:
        """What a prediction decides: `class`, or `labels` if a picture may have several."""
        return "class" if self.rule.task == "single_label" else "labels"

    def labels(self, row: Floats) -> list[str]:
        """What probabilities (K,) decide.

        It is the likeliest class; where the checkpoint has costs, the class of lowest expected cost; of
        several labels a picture, those that reach the thresholds.
        """
        return [self.classes[k] for k in self.numbers(row)]

    def likeliest(self, row: Floats, n: int) -> list[tuple[str, float]]:
        """The n likeliest classes of probabilities (K,), with their probabilities."""
        order = np.argsort(-row, kind="stable")[:n]
        return [(self.classes[int(k)], float(row[k])) for k in order]

    def numbers(self, row: Floats) -> list[int]:
        """The classes that probabilities (K,) decide; none for a picture that cannot be read."""
        if not len(row):
            return []
        if self.rule.task == "multi_label":
            return [int(k) for k in (row >= self.rule.thresholds).nonzero()[0]]
        if self.rule.costs:
            return [int(k) for k in cheapest_classes(row[None], np.array(self.rule.costs))]
        return [int(row.argmax())]
