"""Candidates for near duplicates: pairs whose coarse shapes are alike in a window of one of the two."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.pictures.signature import SIDE
from headstart.project.report import Report

Floats = NDArray[np.float32]

N_WAVES = 6  # cosines in each direction
LOWEST = 0.66  # correlation of coarse shapes, below which no crop of 85 % was seen
HIGHEST = 0.95  # correlation, above which every pair is a candidate
PER_PICTURE = 3  # candidates that are looked at more closely, if those above HIGHEST are fewer
MOST = 50  # candidates a picture above HIGHEST, with which nothing can be told
N_SAMPLED = 64  # pictures whose candidates are counted first
ROWS, COLUMNS = 64, 2048  # compared at once: 6 MB

# top, bottom, left and right of what is seen of a picture; those between are near one of them
WINDOWS = (
    (0.0, 1.0, 0.0, 1.0),
    (0.05, 0.95, 0.05, 0.95),
    *((y, y + 0.9, x, x + 0.9) for y in (0.0, 0.1) for x in (0.0, 0.1)),
)


class Candidates(NamedTuple):
    """M pairs, each once.

    Attributes:
        whole: (M,) number of the picture that is compared with a window of the other.
        wider: (M,) number of the other.
        window: (M,) index of its window in WINDOWS.
        mirrored: (M,) whether the first was mirrored.
    """

    whole: NDArray[np.int64]
    wider: NDArray[np.int64]
    window: NDArray[np.int64]
    mirrored: NDArray[np.bool_]


def find_candidates(signatures: NDArray[np.float16], report: Report) -> Candidates | None:
    """The pairs that may be near duplicates: about 3 a picture, unless very many are very similar.

    All pairs are compared: 100,000 pictures take 1.2e11 products of 31 numbers.

    Args:
        signatures: (N, 32, 32)
        report: shows progress.

    Returns:
        the pairs; None: over 50 a picture are very similar.
    """
    shapes = [_shapes(signatures, window) for window in WINDOWS]
    whole = np.concatenate([shapes[0], _mirrored(shapes[0])])  # (2N, D)
    least, n = _least_correlation(shapes, whole), len(signatures)
    if least is None:
        return None
    starts = range(0, n, ROWS)
    blocks = (_block(shapes, whole, start, least) for start in starts)
    found = [hits for hits in report.progress(blocks, len(starts), "compare") if hits.size]
    hits = np.concatenate(found) if found else np.zeros((0, 4))
    return _each_pair_once(hits, n)


def _shapes(signatures: NDArray[np.float16], window: tuple[float, ...]) -> Floats:
    """The coarse shapes in a window of each picture: (N, D), of length 1.

    They are the coefficients of low cosines; each is weighted by its frequency, as in photographs
    they fall with it. The mean, which brightness moves, is left out.
    """
    top, bottom, left, right = window
    rows, columns = _waves(top, bottom), _waves(left, right)
    shapes = np.empty((len(signatures), int(_USED.sum())), np.float32)
    for start in range(0, len(signatures), 4096):
        some = signatures[start : start + 4096].astype(np.float32)
        shapes[start : start + 4096] = ((rows @ some @ columns.T) * _FREQUENCY)[:, _USED]
    shapes /= np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-3)
    return shapes


def _waves(start: float, end: float) -> Floats:
    """Integrals of the cosines of a stretch over each cell: (N_WAVES, SIDE)."""
    edges = np.clip(np.arange(SIDE + 1) / SIDE, start, end)
    t = np.pi * (edges - start) / (end - start)
    waves = [np.diff(t / np.pi)]
    waves += [np.diff(np.sin(k * t)) / (k * np.pi) for k in range(1, N_WAVES)]
    return np.stack(waves).astype(np.float32)


_FREQUENCY = np.hypot(*np.mgrid[:N_WAVES, :N_WAVES]).astype(np.float32)
_USED = (_FREQUENCY > 0) & (_FREQUENCY < N_WAVES)
_ODD = (np.mgrid[:N_WAVES, :N_WAVES][1] % 2 == 1)[_USED]  # waves that a mirror turns over


def _mirrored(shapes: Floats) -> Floats:
    return np.where(_ODD, -shapes, shapes)


def _least_correlation(shapes: list[Floats], whole: Floats) -> float | None:
    """What about 3 others a picture exceed, from LOWEST to HIGHEST; None: over 50 exceed HIGHEST."""
    n = len(shapes[0])
    rows = np.unique(np.linspace(0, max(n - 1, 0), min(n, N_SAMPLED)).astype(np.int64))
    best = np.full((len(rows), n), -1, np.float32)
    for of_window in shapes:
        for side in (whole[:n], whole[n:]):
            np.maximum(best, of_window[rows] @ side.T, out=best)
    best[np.arange(len(rows)), rows] = -1
    n_wanted = PER_PICTURE * len(rows)
    if best.size <= n_wanted:
        return LOWEST
    if (best > HIGHEST).sum() > MOST * len(rows):
        return None
    of_wanted = float(np.partition(best, -n_wanted, axis=None)[-n_wanted])
    return min(max(LOWEST, of_wanted), HIGHEST)


def _block(shapes: list[Floats], whole: Floats, start: int, least: float) -> NDArray[np.float64]:
    """Windows of some pictures against all: rows of (pair, side, window, correlation)."""
    n, n_rows = len(shapes[0]), min(ROWS, len(shapes[0]) - start)
    some = np.concatenate([of_window[start : start + ROWS] for of_window in shapes])
    found = []
    for first in range(0, 2 * n, COLUMNS):
        product = some @ whole[first : first + COLUMNS].T
        places = np.flatnonzero(product > least)
        row, column = np.divmod(places, product.shape[1])
        window, wider = np.divmod(row, n_rows)
        mirrored, of = np.divmod(column + first, n)
        other = of != wider + start
        side = 2 * (wider + start > of) + mirrored
        low, high = np.minimum(of, wider + start), np.maximum(of, wider + start)
        hits = np.stack([low * n + high, side, window, product.flat[places]], axis=1)
        found.append(hits[other])
    return np.concatenate(found)


def _each_pair_once(hits: NDArray[np.float64], n: int) -> Candidates:
    """Of each pair, the window with the highest correlation."""
    best_first = hits[np.lexsort((-hits[:, 3], hits[:, 0]))]
    pair, once = np.unique(best_first[:, 0].astype(np.int64), return_index=True)
    side, window = best_first[once, 1].astype(np.int64), best_first[once, 2].astype(np.int64)
    low, high = np.divmod(pair, max(n, 1))
    is_high = side >= 2  # the higher number has the window
    return Candidates(
        np.where(is_high, low, high), np.where(is_high, high, low), window, side % 2 == 1
    )
