"""ROC-AUC: how well a probability tells the pictures of a class from all others.

It is the chance that a picture of the class has a higher probability of it than one of another
class; equal probabilities count half. Axis letters: N images, K classes.

Source of the influences: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, Biometrics 44 (1988) 837.
"""

from dataclasses import dataclass

import numpy as np

from headstart.scores.metrics import Floats, Ints
from headstart.scores.multi_label import Bools


@dataclass(frozen=True)
class RocAreas:
    """The areas of the K classes that some pictures have and some have not.

    Attributes:
        classes: (K,) their numbers.
        areas: (K,) in [0, 1].
        influences: (N, K) how much each picture moves each area: the variance of an area, or of a mean
            of areas, is the mean square of its influences, over N.
        n_with: (K,) pictures of the class.
    """

    classes: Ints
    areas: Floats
    influences: Floats
    n_with: Ints


def roc_areas(probabilities: Floats, truth: Bools) -> RocAreas:
    """One area for each class against all others, of probabilities and truth (N, C)."""
    n_with = truth.sum(axis=0)
    classes = np.flatnonzero((n_with > 0) & (n_with < len(truth)))
    found = [_area(probabilities[:, k], truth[:, k]) for k in classes]
    return RocAreas(
        classes,
        np.array([area for area, _ in found]),
        np.array([influence for _, influence in found]).reshape(len(classes), len(truth)).T,
        n_with[classes],
    )


def _area(probabilities: Floats, has: Bools) -> tuple[float, Floats]:
    """The area of one class (N,), (N,), and the influences (N,)."""
    n, n_with = len(has), int(has.sum())
    placements = np.empty(
        n
    )  # of each picture: the share of the others that it is on the right side of
    ranks = _mid_ranks(probabilities)
    placements[has] = (ranks[has] - _mid_ranks(probabilities[has])) / (n - n_with)
    placements[~has] = 1 - (ranks[~has] - _mid_ranks(probabilities[~has])) / n_with
    area = float(placements[has].mean())
    weights = np.where(has, _weight(n, n_with), _weight(n, n - n_with))
    return area, weights * (placements - area)


def _weight(n: int, n_alike: int) -> float:
    """n / n_alike, and a little more, so that the variance is DeLong's, with n_alike − 1."""
    return float(n / (n_alike * max(n_alike - 1, 1)) ** 0.5)


def _mid_ranks(values: Floats) -> Floats:
    """The rank of each value from 1 on; equal values have the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((counts.cumsum() - (counts - 1) / 2)[places])
