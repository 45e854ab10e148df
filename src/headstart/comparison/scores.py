"""The scores of two runs: on the same pictures with paired differences, or each on its own."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from headstart.comparison.runs import Run
from headstart.comparison.wholes import difference_of_macro_f1, difference_of_map
from headstart.evaluation.paired import Difference, difference_of_means, difference_of_shares
from headstart.evaluation.predictions import Kind
from headstart.scores.metrics import Ints

CONFIDENCE = 0.95
N_BOOTSTRAP = 5_000
KINDS: tuple[Kind, ...] = get_args(Kind)
SCORES = {
    "accuracy": "accuracy",
    "f2": "F2",
    "log_loss": "log loss",
    "macro_f1": "macro-F1",
    "map": "mAP",
}
"""Key and name."""
LOWER_IS_BETTER = frozenset({"log_loss"})
OF_SOME_CLASSES = frozenset({"accuracy", "f2"})
"""The scores that are comparable where the runs have other classes too."""

Interval = tuple[float, float, float]
"""A score, and the low and the high end of its interval."""


class PairedScore(NamedTuple):
    """A score of both runs on the same pictures; the difference is b less a, with its interval."""

    key: str
    kind: Kind
    a: float
    b: float
    difference: Difference

    @property
    def verdict(self) -> str:
        """Which run is better, or that the pictures do not tell."""
        if self.difference.within_noise:
            return "within noise"
        better = "b" if (self.difference.value > 0) != (self.key in LOWER_IS_BETTER) else "a"
        return f"{better} is better"


class OwnScore(NamedTuple):
    """A score of each run on its own pictures, with the interval of tta-evaluate; None: no score."""

    key: str
    kind: Kind
    a: Interval | None
    b: Interval | None


def paired_scores(
    pictures: Mapping[Kind, pd.DataFrame], same_classes: bool
) -> Iterator[PairedScore]:
    """The scores of the same pictures.

    Args:
        pictures: by kind, at least one row each; see SplitComparison.
        same_classes: whether the runs have the same classes.
    """
    for key in SCORES:
        if same_classes or key in OF_SOME_CLASSES:
            for kind, table in pictures.items():
                if found := _paired(key, table):
                    yield PairedScore(key, kind, *found)


def own_scores(a: Run, b: Run, split: str) -> Iterator[OwnScore]:
    """The scores of each run as its tta-evaluate found them."""
    for key in SCORES:
        for kind in KINDS:
            of_a, of_b = (_interval(run.scores, split, kind, key) for run in (a, b))
            if of_a or of_b:
                yield OwnScore(key, kind, of_a, of_b)


def _paired(key: str, table: pd.DataFrame) -> tuple[float, float, Difference] | None:
    """The score of a and of b, and their difference; None where there is no such score."""
    resampling = (N_BOOTSTRAP, CONFIDENCE, np.random.default_rng(0))
    if key == "macro_f1" and "accuracy_a" in table:
        return difference_of_macro_f1(*_class_numbers(table), *resampling)
    if key == "map" and "truth_a" in table:
        truth = np.stack(table["truth_a"].tolist())
        p_a, p_b = (np.stack(table[f"p_{which}"].tolist()) for which in "ab")
        return difference_of_map(p_a, p_b, truth, *resampling) if truth.any() else None
    if f"{key}_a" not in table:
        return None
    of_a, of_b = (table[f"{key}_{which}"].to_numpy() for which in "ab")
    if key == "accuracy":
        difference = difference_of_shares(of_a, of_b, CONFIDENCE)
    else:
        difference = difference_of_means(of_a, of_b, *resampling)
    return float(of_a.mean()), float(of_b.mean()), difference


def _class_numbers(table: pd.DataFrame) -> tuple[Ints, Ints, Ints]:
    """The classes that a and b predict, and the true ones, (N,) each."""
    names = [[name for (name,) in table[column]] for column in ("said_a", "said_b", "labels")]
    _, numbers = np.unique(names, return_inverse=True)
    of_a, of_b, true = numbers.reshape(3, -1)
    return of_a, of_b, true


def _interval(scores: Mapping[str, Any], split: str, kind: Kind, key: str) -> Interval | None:
    values = scores.get(split, {}).get(kind, {})
    if key not in values:
        return None
    return values[key], values[f"{key}_ci_low"], values[f"{key}_ci_high"]
