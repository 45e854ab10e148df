"""Which classes and which pictures a classifier confuses.

Axis letters: N images, K classes. Rows of N are sorted by picture id, and sorting is stable, so
that among equals the lower id comes first. class_confusion is for one class per picture,
label_confusion for any number of labels.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from headstart.scores.metrics import Floats, Ints, predicted_classes
from headstart.scores.multi_label import Bools, label_counts

Pick = Literal["most_correct", "most_wrong", "most_uncertain"]


class Remark(NamedTuple):
    """One line about a picture."""

    word: str
    """What the text is: predicted, actual, missed, extra; empty where the text says it."""
    text: str


def matrix_tables(counts: Ints, classes: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A confusion matrix (K, K) in long form (actual, predicted, count) and in wide form."""
    names = np.array(classes, object)
    actual, predicted = np.indices(counts.shape).reshape(2, -1)
    long = pd.DataFrame(
        {"actual": names[actual], "predicted": names[predicted], "count": counts.ravel()}
    )
    wide = pd.DataFrame(counts, columns=list(classes))
    wide.insert(0, "actual", list(classes), allow_duplicates=True)
    return long, wide


def confused_pairs(counts: Ints, classes: Sequence[str]) -> pd.DataFrame:
    """Every pair that occurs off the diagonal, most frequent first; equals in class order.

    Returns:
        columns actual, predicted, count (≥ 1), share (of the row of `actual`, in (0, 1]).
    """
    long, _ = matrix_tables(counts, classes)
    long["share"] = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).ravel()
    off_diagonal = ~np.eye(len(classes), dtype=bool).ravel() & (long["count"] > 0)
    pairs = long[off_diagonal].sort_values("count", ascending=False, kind="stable")
    return pairs.reset_index(drop=True)


def two_by_two_tables(
    decided: Bools, truth: Bools, classes: Sequence[str], thresholds: Sequence[float] | None = None
) -> pd.DataFrame:
    """The 2 x 2 table of each class against all others, one row per class.

    Args:
        decided: (N, K) whether a picture was given a class
        truth: (N, K) whether it has the class
        classes: K names
        thresholds: K, in [0, 1]; None if each picture gets its most probable class

    Returns:
        columns label; pictures found (true positives), missed (false negatives), extra (false
        positives), neither (true negatives), which sum to N; precision and recall in [0, 1], NaN
        where they are undefined; threshold, NaN where there is none.
    """
    counts = label_counts(decided, truth)
    found, missed, extra = counts.hits, counts.actual - counts.hits, counts.decided - counts.hits
    return pd.DataFrame(
        {
            "label": np.array(classes, object),
            "found": found,
            "missed": missed,
            "extra": extra,
            "neither": len(truth) - found - missed - extra,
            "precision": _shares(found, counts.decided),
            "recall": _shares(found, counts.actual),
            "threshold": np.full(len(classes), np.nan) if thresholds is None else thresholds,
        }
    )


def picked_rows(pick: Pick, probabilities: Floats, targets: Ints, n: int) -> list[Ints]:
    """For each class, the rows of up to `n` of its pictures, the most telling first.

    The pictures are ordered by the probability of the true class. most_correct: right predictions,
    highest first. most_wrong: wrong predictions, lowest first. most_uncertain: all pictures, nearest
    to 1/K first.

    Args:
        pick: which pictures
        probabilities: (N, K)
        targets: (N,)
        n: ≥ 0; a class with fewer candidates gives them all

    Returns:
        K arrays of row numbers, each of length 0 … n.

    Source: fastai's ImageModelResults.
    """
    k = probabilities.shape[1]
    p_target = probabilities[np.arange(len(targets)), targets]
    right = predicted_classes(probabilities) == targets
    match pick:
        case "most_correct":
            candidates, keys = right, -p_target
        case "most_wrong":
            candidates, keys = ~right, p_target
        case "most_uncertain":
            candidates, keys = np.ones(len(targets), bool), abs(p_target - 1 / k)
    order = np.argsort(keys, kind="stable")
    return [order[(candidates & (targets == number))[order]][:n] for number in range(k)]


def _shares(part: Ints, whole: Ints) -> Floats:
    """part / whole, NaN where whole is 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
