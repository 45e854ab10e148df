"""Intervals of ROC-AUC, without a bootstrap."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from headstart.evaluation.intervals import Interval
from headstart.scores.roc import RocAreas

N_HALVINGS = 50


def area_interval(area: float, n_with: int, n_without: int, confidence: float) -> Interval:
    """Interval of one area, inside [0, 1], also where it is 0 or 1.

    The ends are the areas whose distance from the one found is z standard errors, of Hanley and
    McNeil, at that area.

    Args:
        area: in [0, 1].
        n_with: pictures of the class, at least 1.
        n_without: the others, at least 1.
        confidence: level in (0, 1).

    Source: R. G. Newcombe, Statistics in Medicine 25 (2006) 559, method 5.
    """
    z, more = _z(confidence), (n_with + n_without) / 2 - 1

    def inside(end: float) -> bool:
        of_ranks = 1 + more * (1 - end) / (2 - end) + more * end / (1 + end)
        variance = end * (1 - end) * of_ranks / (n_with * n_without)
        return (area - end) ** 2 <= z**2 * variance

    def end(outside: float) -> float:
        near, far = area, outside
        for _ in range(N_HALVINGS):
            middle = (near + far) / 2
            near, far = (middle, far) if inside(middle) else (near, middle)
        return near

    return end(0.0), end(1.0)


def mean_area_interval(found: RocAreas, confidence: float) -> Interval:
    """Interval of the mean of K ≥ 1 areas, inside [0, 1].

    A class is lone if it has a single picture, or if a single picture has another class. Influences
    cannot show the error of its area: there is no second picture to compare with. So each lone class
    has `area_interval`, and all others together have `_interval_by_influences`. The distances from the
    areas to the ends are added like independent errors, by their squares. Two lone classes without
    others may be one another's complement, with one error. Then it is the mean of their intervals.

    Source: G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008) 1693.
    """
    n, n_areas = len(found.influences), len(found.areas)
    lone = (found.n_with == 1) | (found.n_with == n - 1)
    if n_areas == 2 and lone.all():
        return _mean_interval(found, confidence)
    rest = _of(found, ~lone)
    parts = [
        (area, *area_interval(area, n_with, n - n_with, confidence), 1 / n_areas)
        for area, n_with in _areas(_of(found, lone))
    ]
    if len(rest.areas):
        ends = _interval_by_influences(rest, confidence)
        parts.append((float(rest.areas.mean()), *ends, len(rest.areas) / n_areas))
    values, lows, highs, shares = np.array(parts).T
    mean = shares @ values
    below, above = (
        np.linalg.norm(shares * distances) for distances in (values - lows, highs - values)
    )
    return float(mean - below), float(mean + above)


def _interval_by_influences(found: RocAreas, confidence: float) -> Interval:
    """Interval of the mean of at least one area, inside [0, 1].

    The logit of the mean plus and minus z standard errors, of the influences of the pictures: so it
    counts that the areas are of the same pictures. If no picture has an influence, because every area
    is 0 or 1, it is the mean of the intervals of the areas, which is wider.

    Source: M. S. Pepe, The Statistical Evaluation of Medical Tests (Oxford, 2003), 5.2.
    """
    mean, n = float(found.areas.mean()), len(found.influences)
    error = float(((found.influences.mean(axis=1) ** 2).sum()) ** 0.5) / n
    if not (error and 0 < mean < 1):
        return _mean_interval(found, confidence)
    half = _z(confidence) * error / (mean * (1 - mean))
    low, high = (1 / (1 + (1 - mean) / mean * np.exp(-side)) for side in (-half, half))
    return float(low), float(high)


def _mean_interval(found: RocAreas, confidence: float) -> Interval:
    """The mean of the intervals of at least one area."""
    n = len(found.influences)
    ends = [area_interval(area, n_with, n - n_with, confidence) for area, n_with in _areas(found)]
    low, high = np.mean(ends, axis=0).tolist()
    return low, high


def _of(found: RocAreas, chosen: NDArray[np.bool_]) -> RocAreas:
    """The areas of the classes that `chosen` (K,) marks."""
    return RocAreas(
        found.classes[chosen],
        found.areas[chosen],
        found.influences[:, chosen],
        found.n_with[chosen],
    )


def _areas(found: RocAreas) -> list[tuple[float, int]]:
    """Each area with the number of pictures of its class."""
    return list(zip(found.areas.tolist(), found.n_with.tolist(), strict=True))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)
