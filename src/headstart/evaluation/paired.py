"""By how much one network's score exceeds another's on the same pictures, with an interval.

The pictures are paired, so what is hard or easy for both networks cancels. The interval reflects
chance in the choice of pictures, not in the seed of the training. Axis letters: N images, K
classes, M cells, B resamples. `before` and `after` are always rows of the same pictures in the same
order.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from headstart.evaluation.intervals import bootstrap_mean
from headstart.scores.metrics import Floats

N_TELLING = 5
"""Fewer pictures tell nothing, however large their differences are. If chance decided each sign, 4
signs would be alike once in 8 times. `training.stop_rule.beyond_noise` needs as many."""


@dataclass(frozen=True)
class Difference:
    """A score after less the same score before, and the ends of its interval."""

    value: float
    low: float
    high: float

    @property
    def within_noise(self) -> bool:
        """Whether the interval holds 0, so that the pictures do not tell which network is better."""
        return self.low <= 0 <= self.high


def difference_of_shares(
    before: NDArray[np.bool_], after: NDArray[np.bool_], confidence: float
) -> Difference:
    """Difference of two shares of N pictures, such as accuracies, from hits (N,).

    Wald's interval with one picture added that only `before` gets right and one that only `after`
    does. A bootstrap would end at [0, 0] where the networks agree on every picture. Where fewer than
    N_TELLING pictures tell the networks apart, the interval reaches to 0.

    Args:
        before: (N,) whether the first network is right
        after: (N,) whether the second one is right
        confidence: level in (0, 1), such as 0.95

    Raises:
        ValueError: there is no picture, or the shapes differ.

    Source: D. G. Bonett and R. M. Price, JEBS 37 (2012) 479; recommended for paired proportions by
    M. W. Fagerland, S. Lydersen and P. Laake, Statistics in Medicine 33 (2014) 2850.
    """
    n = _n_pairs(before, after)
    n_gained, n_lost = int((after & ~before).sum()), int((before & ~after).sum())
    gained, lost = (n_gained + 1) / (n + 2), (n_lost + 1) / (n + 2)
    centre = gained - lost
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    half = z * ((gained + lost - centre**2) / (n + 2)) ** 0.5
    low, high = max(centre - half, -1), min(centre + half, 1)
    return _difference((n_gained - n_lost) / n, low, high, n_telling=n_gained + n_lost)


def difference_of_means(
    before: Floats,
    after: Floats,
    n_bootstrap: int,
    confidence: float,
    generator: np.random.Generator,
) -> Difference:
    """Difference of two means over N pictures, such as F2 or log loss, from scores (N,).

    The interval is a percentile bootstrap over pictures; both networks are scored on each resample.
    So the mean of the pictures' differences is resampled, as the difference of the means is it. Of
    fewer than N_TELLING pictures, whose resamples often have one sign, the interval reaches to 0.

    Args:
        before: (N,) score of each picture by the first network
        after: (N,) score of each picture by the second one
        n_bootstrap: resamples
        confidence: level in (0, 1), such as 0.95
        generator: of the resamples

    Raises:
        ValueError: there is no picture, or the shapes differ.

    Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), sections 8.2, 13.3.
    """
    _n_pairs(before, after)
    differences = after - before
    low, high = bootstrap_mean(differences, n_bootstrap, confidence, generator)
    return _difference(float(differences.mean()), low, high, n_telling=len(differences))


def _difference(value: float, low: float, high: float, n_telling: int) -> Difference:
    """The difference; its interval reaches to 0 where fewer than N_TELLING pictures tell something."""
    if n_telling < N_TELLING:
        low, high = min(low, 0.0), max(high, 0.0)
    return Difference(value, low, high)


def _n_pairs(before: NDArray[np.generic], after: NDArray[np.generic]) -> int:
    if before.shape != after.shape or before.ndim != 1 or not len(before):
        raise ValueError(
            f"A paired difference needs (N,) scores of the same N ≥ 1 pictures, found "
            f"{before.shape} and {after.shape}."
        )
    return len(before)
