"""Thresholds: the probability from which a picture gets a label, searched for the highest F2.

Axis letters: N images, K labels, T values of the grid. On the pictures that were searched the F2 is
too good; the decisions of `cross_fitted` show what a search is worth on other pictures.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from headstart.scores.metrics import Floats, Ints
from headstart.scores.multi_label import Bools, f_beta_of_counts

Search = Literal["global", "per_label"]

DEFAULT_THRESHOLD = 0.2
"""The threshold without pictures to search on: the middle of the course's 0.17 … 0.23 (planet_cv)."""

GRID: Floats = np.arange(1, 100) / 100
"""The thresholds that are tried: 0.01 … 0.99."""

N_PASSES = 3
"""per_label goes through all labels at most this often."""

MIN_POSITIVES = 3
"""A label of fewer pictures keeps the global threshold: one or two pictures say too little."""

ROUNDING = 1e-9
"""Mean scores that differ by less are equal; one decision in 10,000 pictures moves them by more."""


def decide(probabilities: Floats, thresholds: Sequence[float]) -> Bools:
    """Decide each label of each picture: probability ≥ threshold, (N, K), (K,) -> (N, K).

    Raises:
        ValueError: the number of thresholds is not K.
    """
    if probabilities.shape[1] != len(thresholds):
        raise ValueError(
            f"{probabilities.shape[1]} labels need as many thresholds, found {len(thresholds)}."
        )
    return np.asarray(probabilities >= np.array(thresholds), bool)


def find_thresholds(probabilities: Floats, truth: Bools, search: Search) -> tuple[float, ...]:
    """The thresholds of GRID with the highest mean F2 over the pictures.

    Where several values are equally good, the middle of the longest run of them is taken.

    Args:
        probabilities: (N, K); with N = 0 every threshold is DEFAULT_THRESHOLD
        truth: (N, K)
        search: global: one value for all labels. per_label: starts from the global value and moves
            one label after the other where that is strictly better, in at most N_PASSES passes; a
            label with fewer than MIN_POSITIVES pictures keeps the global value.

    Returns:
        K thresholds.
    """
    k: int = probabilities.shape[1]
    if not len(probabilities):
        return (DEFAULT_THRESHOLD,) * k
    # Levels (N, K): how many values of the grid a probability reaches. A label is decided at the
    # value of place t exactly where its level is above t.
    levels = np.searchsorted(GRID, probabilities, side="right")
    place, _ = _best(_global_scores(levels, truth))
    places = np.full(k, place)
    if search == "per_label":
        places = _one_after_the_other(levels, truth, places)
    return tuple(float(GRID[place]) for place in places)


def cross_fitted(probabilities: Floats, truth: Bools, search: Search, folds: Ints) -> Bools:
    """Decisions (N, K) about each picture at thresholds found without it, on the other folds.

    Pictures that are all in one fold are decided at DEFAULT_THRESHOLD.

    Args:
        probabilities: (N, K)
        truth: (N, K)
        search: as in find_thresholds
        folds: (N,) as folds_of gives it
    """
    decided = np.zeros(probabilities.shape, bool)
    for fold in np.unique(folds):
        held_out = folds == fold
        found = find_thresholds(probabilities[~held_out], truth[~held_out], search)
        decided[held_out] = decide(probabilities[held_out], found)
    return decided


def _global_scores(levels: Ints, truth: Bools) -> Floats:
    """Mean F2 (T,) with each value of the grid as the threshold of every label."""
    actual = truth.sum(axis=1, keepdims=True)  # (N, 1)
    hits, decided = _above(levels, truth), _above(levels, np.ones_like(truth))  # (N, T)
    return np.asarray(f_beta_of_counts(hits, decided, actual).mean(axis=0))


def _above(levels: Ints, counted: Bools) -> Ints:
    """How many `counted` labels of each picture lie above each place of the grid: (N, K) -> (N, T)."""
    n, n_levels = len(levels), len(GRID) + 1
    cells = np.arange(n)[:, None] * n_levels + levels  # (N, K)
    of_level = np.bincount(cells[counted], minlength=n * n_levels).reshape(n, n_levels)
    return np.asarray(of_level[:, :0:-1].cumsum(axis=1)[:, ::-1])  # level > t, for t = 0 … T − 1


def _one_after_the_other(levels: Ints, truth: Bools, places: Ints) -> Ints:
    """Coordinate ascent over the labels from `places` (K,); each picture's counts are updated."""
    n, places = len(levels), places.copy()
    decided = levels > places
    hits, n_decided, actual = (decided & truth).sum(1), decided.sum(1), truth.sum(1)  # (N,) each
    movable = (truth.sum(axis=0) >= MIN_POSITIVES).nonzero()[0]
    for _ in range(N_PASSES):
        before = places.copy()
        for k in movable:
            has, now = truth[:, k].astype(np.int64), (levels[:, k] > places[k]).astype(np.int64)
            hits, n_decided = hits - now * has, n_decided - now  # without this label
            without = f_beta_of_counts(hits, n_decided, actual)
            gain = f_beta_of_counts(hits + has, n_decided + 1, actual) - without
            of_level = np.bincount(levels[:, k], weights=gain, minlength=len(GRID) + 1)
            scores = (without.sum() + of_level[:0:-1].cumsum()[::-1]) / n  # (T,)
            place, best = _best(scores)
            if best > scores[places[k]] + ROUNDING:
                places[k] = place
            now = (levels[:, k] > places[k]).astype(np.int64)
            hits, n_decided = hits + now * has, n_decided + now
        if (places == before).all():
            break
    return places


def _best(scores: Floats) -> tuple[int, float]:
    """Middle place of the longest run of the highest scores (the first of equals), and the score."""
    best = float(scores.max())
    high = np.concatenate([[False], scores >= best - ROUNDING, [False]]).astype(np.int64)
    starts, stops = (np.diff(high) == 1).nonzero()[0], (np.diff(high) == -1).nonzero()[0]
    longest = int((stops - starts).argmax())
    return int((starts[longest] + stops[longest] - 1) // 2), best
