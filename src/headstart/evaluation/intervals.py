"""Confidence intervals of scores on a finite set of pictures: Wilson and percentile bootstrap.

They reflect chance in the choice of pictures, not in the seed of the training. Axis letters:
B resamples, N images, M cells, K classes.
"""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from headstart.scores.metrics import Floats, Ints, mean_f1, mean_recall
from headstart.scores.multi_label import Bools, rank, weighted_average_precision

Interval = tuple[float, float]

N_WEIGHTS = 2_000_000
"""Most weights of pictures that bootstrap_map holds at once (16 MB), for any number of resamples."""


def wilson(n_hits: float, n: int, confidence: float) -> Interval:
    """Wilson's score interval of a proportion `n_hits / n`, inside [0, 1].

    Args:
        n_hits: 0 … n; not always whole, as it may be a mean over several networks
        n: at least 1
        confidence: level in (0, 1), such as 0.95

    Raises:
        ValueError: n is 0, or n_hits is not in 0 … n.

    Source: E. B. Wilson, JASA 22 (1927) 209; scipy's binomtest(…).proportion_ci("wilson").
    """
    if not 0 <= n_hits <= n or not n:
        raise ValueError(f"A proportion needs 0 ≤ hits ≤ n and n ≥ 1, found {n_hits} of {n}.")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = n_hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    # The ends 0 and 1 are exact in theory and off by a rounding in floats.
    return (0.0 if n_hits == 0 else centre - half, 1.0 if n_hits == n else centre + half)


def f1_interval(found: int, wrong: int, confidence: float) -> Interval:
    """An interval of F1 = 2 found / (2 found + wrong), inside [0, 1].

    Of the pictures that have the class or were given it, found / (found + wrong) have both. That is
    a proportion, so Wilson's interval holds for it, and F1 rises with it: F1 = 2 J / (1 + J).

    Args:
        found: pictures that have the class and were given it, ≥ 0
        wrong: pictures that have it or were given it, but not both, ≥ 0; found + wrong ≥ 1
        confidence: level in (0, 1)

    Source: D. J. Hand, P. Christen, N. Kirielle, F*: an interpretable transformation of the
    F-measure, Machine Learning 110 (2021) 451.
    """
    low, high = wilson(found, found + wrong, confidence)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def bootstrap_mean(
    values: Floats, n_bootstrap: int, confidence: float, generator: np.random.Generator
) -> Interval:
    """Percentile bootstrap of the mean of `values` (N,), one per picture; memory O(N)."""
    n = len(values)
    means = [values[generator.integers(n, size=n)].mean() for _ in range(n_bootstrap)]
    return _percentiles(np.array(means), confidence)


def bootstrap_macro_f1(
    counts: Ints, n_bootstrap: int, confidence: float, generator: np.random.Generator
) -> Interval:
    """Percentile bootstrap over pictures of macro-F1, from the confusion matrix (K, K).

    Pictures of one cell do not differ. Drawing N pictures with replacement is therefore the same as
    drawing the matrix's cells from a multinomial. The mean of a resample is over the classes that
    occur in it.
    """
    actual, predicted = counts.nonzero()  # (M,): the cells that hold pictures
    n = int(counts.sum())
    drawn = generator.multinomial(n, counts[actual, predicted] / n, size=n_bootstrap)  # (B, M)
    classes = np.arange(len(counts))
    in_row = (actual[:, None] == classes).astype(np.int64)  # (M, K)
    in_column = (predicted[:, None] == classes).astype(np.int64)
    scores = mean_f1(drawn @ (in_row * in_column), drawn @ (in_row + in_column))  # (B, K) -> (B,)
    return _percentiles(scores, confidence)


def bootstrap_balanced_accuracy(
    counts: Ints, n_bootstrap: int, confidence: float, generator: np.random.Generator
) -> Interval:
    """Percentile bootstrap over pictures of the mean recall, from the confusion matrix (K, K).

    As in bootstrap_macro_f1; the mean of a resample is over the classes that pictures of it have.
    """
    actual, predicted = counts.nonzero()  # (M,): the cells that hold pictures
    n, classes = int(counts.sum()), np.arange(len(counts))
    drawn = generator.multinomial(n, counts[actual, predicted] / n, size=n_bootstrap)  # (B, M)
    in_row = (actual[:, None] == classes).astype(np.int64)  # (M, K)
    found = in_row * (actual == predicted)[:, None]
    return _percentiles(mean_recall(drawn @ found, drawn @ in_row), confidence)


def bootstrap_map(
    probabilities: Floats,
    truth: Bools,
    n_bootstrap: int,
    confidence: float,
    generator: np.random.Generator,
) -> Interval:
    """Percentile bootstrap over pictures of mAP, from probabilities and truth (N, K).

    A picture that is drawn w times gets the weight w, so each label is sorted only once. A label that
    is absent from a resample does not count in it. A resample without any label is left out.

    Raises:
        ValueError: no picture has a label.
    """
    n, occurring = len(truth), np.flatnonzero(truth.any(axis=0))
    if not len(occurring):
        raise ValueError(f"mAP needs a picture with a label, found none in {n} pictures.")
    rankings = [rank(probabilities[:, k], truth[:, k]) for k in occurring]
    scores: list[Floats] = []
    for weights in resampled(n, n_bootstrap, generator):  # (N, B)
        of_labels = np.stack([weighted_average_precision(r, weights) for r in rankings])  # (K, B)
        present = ~np.isnan(of_labels)
        some = present.any(axis=0)
        sums = np.where(present, of_labels, 0).sum(axis=0)
        scores.append(sums[some] / present.sum(axis=0)[some])
    return _percentiles(np.concatenate(scores), confidence)


def resampled(
    n: int, n_bootstrap: int, generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield how often each of N pictures is drawn in B resamples, (N, B), for a few of them at once."""
    size = max(1, N_WEIGHTS // n)  # resamples at once
    for start in range(0, n_bootstrap, size):
        # One call per resample, so that the result does not depend on how many are held at once.
        drawn = [
            np.bincount(generator.integers(n, size=n), minlength=n)
            for _ in range(min(size, n_bootstrap - start))
        ]
        yield np.stack(drawn, axis=1)


def _percentiles(statistics: NDArray[np.float64], confidence: float) -> Interval:
    low, high = np.quantile(statistics, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
