"""Paired differences of scores of a whole set of pictures, which are no mean over pictures.

Both networks are scored on each resample, so the intervals are paired as those of
evaluation.paired. Axis letters: N images, K classes, M cells, B resamples.
"""

from collections.abc import Sequence

import numpy as np

from headstart.evaluation.intervals import resampled
from headstart.evaluation.paired import Difference
from headstart.scores.metrics import Floats, Ints, mean_f1
from headstart.scores.multi_label import Bools, Ranking, rank, weighted_average_precision


def difference_of_macro_f1(
    before: Ints,
    after: Ints,
    targets: Ints,
    n_bootstrap: int,
    confidence: float,
    generator: np.random.Generator,
) -> tuple[float, float, Difference]:
    """Macro-F1 of both networks, and the second less the first.

    Pictures of equal class and equal predictions do not differ, so a resample is a draw of such cells
    from a multinomial.

    Args:
        before: (N,) class numbers that the first network predicts, N ≥ 1
        after: (N,) those of the second one
        targets: (N,) the true ones
        n_bootstrap: resamples
        confidence: level in (0, 1), such as 0.95
        generator: of the resamples
    """
    triples = np.stack([targets, before, after], axis=1)
    cells, counts = np.unique(triples, axis=0, return_counts=True)  # (M, 3), (M,)
    n = int(counts.sum())
    drawn = generator.multinomial(n, counts / n, size=n_bootstrap)  # (B, M)
    every = np.vstack([counts, drawn]).astype(float)  # (1 + B, M): the pictures themselves first
    classes = np.arange(int(triples.max()) + 1)
    actual, *predicted = (cells[:, [column]] == classes for column in range(3))  # (M, K) each
    of_before, of_after = (_weighted_macro_f1(actual, said, every) for said in predicted)
    return _difference(of_before, of_after, confidence)


def difference_of_map(
    before: Floats,
    after: Floats,
    truth: Bools,
    n_bootstrap: int,
    confidence: float,
    generator: np.random.Generator,
) -> tuple[float, float, Difference]:
    """MAP of both networks, and the second less the first; see intervals.bootstrap_map.

    Args:
        before: (N, K) probabilities by the first network
        after: (N, K) those by the second one
        truth: (N, K); some picture has a label
        n_bootstrap: resamples
        confidence: level in (0, 1), such as 0.95
        generator: of the resamples
    """
    n, occurring = len(truth), np.flatnonzero(truth.any(axis=0))
    rankings = [[rank(p[:, k], truth[:, k]) for k in occurring] for p in (before, after)]
    once = np.ones((n, 1), np.int64)
    found = [[_weighted_map(of, once) for of in rankings]]
    for weights in resampled(n, n_bootstrap, generator):  # (N, B)
        found.append([_weighted_map(of, weights) for of in rankings])
    of_before, of_after = (np.concatenate(scores) for scores in zip(*found, strict=True))
    return _difference(of_before, of_after, confidence)


def _weighted_macro_f1(actual: Bools, said: Bools, counts: Floats) -> Floats:
    """Macro-F1 where the cells (M, K) have `counts` (B, M) pictures -> (B,)."""
    # whole numbers as floats: numpy multiplies matrices of integers slowly
    hits, occurrences = counts @ (actual & said), counts @ (actual.astype(float) + said)
    return mean_f1(hits.astype(np.int64), occurrences.astype(np.int64))


def _weighted_map(rankings: Sequence[Ranking], weights: Ints) -> Floats:
    """(B,) mean over the labels that occur in a resample; NaN where none does."""
    of_labels = np.stack([weighted_average_precision(of, weights) for of in rankings])  # (K, B)
    present = ~np.isnan(of_labels)
    sums, n_present = np.where(present, of_labels, 0).sum(axis=0), present.sum(axis=0)
    return np.where(n_present > 0, sums / np.maximum(n_present, 1), np.nan)


def _difference(
    before: Floats, after: Floats, confidence: float
) -> tuple[float, float, Difference]:
    """From scores (1 + B,), those of the pictures themselves first."""
    differences = (after - before)[1:]
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(differences[np.isfinite(differences)], ends)
    a, b = float(before[0]), float(after[0])
    return a, b, Difference(b - a, float(low), float(high))
