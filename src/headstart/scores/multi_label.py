"""Scores of pictures that have any number of labels, over a whole set at once.

Axis letters: N images, K labels, B weightings, G groups of one probability. Truth and decisions
are boolean (N, K): whether a picture has a label, and whether it was decided to have it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.scores.metrics import SMALLEST, Floats, Ints

Bools = NDArray[np.bool_]

F_BETA = 2.0
"""Recall counts F_BETA times as much as precision: the F2 score of the Planet competition."""


def f_beta(decided: Bools, truth: Bools) -> Floats:
    """F-beta of each picture's labels, both (N, K) -> (N,), in [0, 1].

    As scikit-learn's fbeta_score(beta=2, average="samples", zero_division=1), before its mean.
    """
    hits = (decided & truth).sum(axis=1)
    return f_beta_of_counts(hits, decided.sum(axis=1), truth.sum(axis=1))


def f_beta_of_counts(
    hits: NDArray[np.integer], decided: NDArray[np.integer], actual: NDArray[np.integer]
) -> Floats:
    """(1 + β²)·hits / (β²·actual + decided), of counts that broadcast; 1 where both are 0."""
    right, wanted = (1 + F_BETA**2) * hits, F_BETA**2 * actual + decided
    return np.asarray(np.where(wanted > 0, right, 1) / np.where(wanted > 0, wanted, 1), np.float64)


@dataclass(frozen=True)
class LabelCounts:
    """Numbers of pictures of each label, (K,) each: rightly decided, decided, and with the label."""

    hits: Ints
    decided: Ints
    actual: Ints


def label_counts(decided: Bools, truth: Bools) -> LabelCounts:
    """Count decisions (N, K) against truth (N, K).

    Precision is hits / decided, recall is hits / actual.
    """
    return LabelCounts((decided & truth).sum(axis=0), decided.sum(axis=0), truth.sum(axis=0))


def binary_cross_entropies(probabilities: Floats, truth: Bools) -> Floats:
    """Mean over labels of −log of the probability given to the truth, (N, K) -> (N,), in nats.

    Probabilities are clipped to [SMALLEST, 1 − SMALLEST], as in the log loss of one class.
    """
    of_truth = np.where(truth, probabilities, 1 - probabilities)
    return np.asarray(-np.log(of_truth.clip(SMALLEST, 1 - SMALLEST)).mean(axis=1), np.float64)


@dataclass(frozen=True)
class Ranking:
    """The pictures by falling probability of one label, up to the last picture with the label.

    They are cut into G segments. Each segment ends with the last picture of a probability that some
    picture with the label has. Average precision needs sums at these places only.
    """

    order: Ints
    """Numbers of the pictures, most probable first."""
    starts: Ints
    """(G,) where each segment starts in `order`."""
    positives: Ints
    """Numbers of the pictures with the label, most probable first."""
    positive_starts: Ints
    """(G,) where each segment starts in `positives`."""


def rank(probabilities: Floats, truth: Bools) -> Ranking:
    """Rank the pictures by one label's probabilities (N,); truth (N,) holds at least one True."""
    order = np.argsort(-probabilities, kind="stable")
    falling, has = probabilities[order], truth[order]
    last = np.append(falling[1:] != falling[:-1], True).nonzero()[0]  # where each probability ends
    n_positive = has.cumsum()[last]
    ends = last[np.diff(n_positive, prepend=0) > 0]  # (G,)
    starts = np.append(0, ends[:-1] + 1)
    return Ranking(order[: ends[-1] + 1], starts, order[has], np.append(0, has.cumsum()[ends[:-1]]))


def weighted_average_precision(ranking: Ranking, weights: NDArray[np.integer]) -> Floats:
    """Average precision where each picture counts as often as its weight says, (N, B) -> (B,).

    Σ over the segments of (share of the positive pictures in it) · (precision up to its end).
    Equal probabilities are one step, as in scikit-learn's average_precision_score. NaN where no
    positive picture has a weight.
    """
    within = np.add.reduceat(weights[ranking.order], ranking.starts, axis=0)  # (G, B)
    hits = np.add.reduceat(weights[ranking.positives], ranking.positive_starts, axis=0)
    precision = hits.cumsum(axis=0) / np.maximum(within.cumsum(axis=0), 1)
    n_positive = hits.sum(axis=0)  # (B,)
    sums = (hits * precision).sum(axis=0)
    return np.asarray(np.where(n_positive > 0, sums / np.maximum(n_positive, 1), np.nan))


def average_precisions(probabilities: Floats, truth: Bools) -> dict[int, float]:
    """Average precision of each label, in [0, 1], by the label's number; inputs are (N, K).

    Labels that no picture has get no entry.
    """
    once = np.ones((len(truth), 1), np.int64)
    return {
        k: float(weighted_average_precision(rank(probabilities[:, k], truth[:, k]), once)[0])
        for k in np.flatnonzero(truth.any(axis=0)).tolist()
    }


def mean_average_precision(probabilities: Floats, truth: Bools) -> float:
    """Mean of the average precisions of the labels that occur (mAP), in [0, 1].

    Raises:
        ValueError: no picture has a label.
    """
    if not truth.any():
        raise ValueError(f"mAP needs a picture with a label, found none in {len(truth)} pictures.")
    return float(np.mean(list(average_precisions(probabilities, truth).values())))
