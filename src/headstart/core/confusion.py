"""Which classes and which pictures a classifier confuses.

Axis letters: N images, K classes. Rows of N are sorted by picture id, and sorting is stable, so
that among equals the lower id comes first.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from headstart.core.metrics import Floats, Ints, predicted_classes

Pick = Literal["most_correct", "most_wrong", "most_uncertain"]


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
        columns actual, predicted, count (≥ 1), share (of the pictures of `actual`, in (0, 1]).
    """
    long, _ = matrix_tables(counts, classes)
    long["share"] = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).ravel()
    off_diagonal = ~np.eye(len(classes), dtype=bool).ravel() & (long["count"] > 0)
    pairs = long[off_diagonal].sort_values("count", ascending=False, kind="stable")
    return pairs.reset_index(drop=True)


def picked_rows(pick: Pick, probabilities: Floats, targets: Ints, n: int) -> list[Ints]:
    """For each class, the rows of up to `n` of its pictures, the most telling first.

    most_correct: of those predicted right, the highest probability of the true class.
    most_wrong: of those predicted wrong, the lowest. most_uncertain: of all, the nearest to 1/K.

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
