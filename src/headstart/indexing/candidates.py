"""Candidates for near duplicates: pairs whose coarse shapes are alike in a window of one of the two.

Up to 50,000 pictures, all pairs are compared. Of more pictures, the shapes are sorted by the nearest
of many centres (k-means), and a window is compared with the shapes of its 32 nearest centres alone.
This is an inverted file (Sivic and Zisserman 2003, "Video Google", section 4). Its time grows
with N^1.5.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.pictures.signature import SIDE
from headstart.project.report import Report

Floats = NDArray[np.float32]
Hits = NDArray[np.float64]
"""Rows of (pair, side, window, correlation): the lower number of a pair times N, plus the higher; 2 if
the higher has the window, plus 1 if the other is mirrored; its place in WINDOWS."""

N_WAVES = 6  # cosines in each direction
LOWEST = 0.66  # correlation of coarse shapes, below which no crop of 85 % was seen
HIGHEST = 0.95  # correlation, above which every pair is a candidate
PER_PICTURE = 3  # candidates that are looked at more closely, if those above HIGHEST are fewer
MOST = 50  # candidates a picture above HIGHEST, with which nothing can be told
N_SAMPLED = 64  # pictures whose candidates are counted first
ROWS, COLUMNS = 64, 2048  # compared at once: 6 MB
N_HITS = 1_000_000  # that wait until the best of each pair is kept; 32 MB
ALL_PAIRS = 50_000  # pictures, up to which all pairs are compared
CENTRES = 1.5  # their number, as a multiple of the square root of 2N
N_NEAREST = 32  # centres whose shapes are compared with a window
N_ROUNDS = 4  # of moving each centre to the mean of its shapes
A_CENTRE = 64  # shapes for each centre in the sample that k-means sees
SLICE = 1 << 18  # pictures whose windows are looked up at once; 150 MB

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

    Args:
        signatures: (N, 32, 32)
        report: shows progress.

    Returns:
        the pairs; None: over 50 a picture are very similar.
    """
    n = len(signatures)
    whole = np.empty((2 * n, N_USED), np.float32)
    whole[:n] = _shapes(signatures, WINDOWS[0])
    whole[n:] = np.where(_ODD, -whole[:n], whole[:n])  # mirrored
    rows = np.unique(np.linspace(0, max(n - 1, 0), min(n, N_SAMPLED)).astype(np.int64))
    sampled = [_shapes(signatures[rows], window) for window in WINDOWS]
    least = _least_correlation(sampled, rows, whole)
    if least is None:
        return None
    search = _among_all if n <= ALL_PAIRS else _near_centres
    n_blocks, blocks = search(signatures, whole, least)
    found, n_waiting = [np.zeros((0, 4))], 0
    for hits in report.progress(blocks, n_blocks, "compare"):
        found.append(hits)
        n_waiting += len(hits)
        if n_waiting > N_HITS:
            found, n_waiting = [_best_of_each_pair(found)], 0
    return _as_candidates(_best_of_each_pair(found), n)


def _shapes(signatures: NDArray[np.float16], window: tuple[float, ...]) -> Floats:
    """The coarse shapes in a window of each picture: (N, D), of length 1.

    They are the coefficients of low cosines; each is weighted by its frequency, as in photographs
    they fall with it. The mean, which brightness moves, is left out.
    """
    top, bottom, left, right = window
    rows, columns = _waves(top, bottom), _waves(left, right)
    shapes = np.empty((len(signatures), N_USED), np.float32)
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
N_USED = int(_USED.sum())
_ODD = (np.mgrid[:N_WAVES, :N_WAVES][1] % 2 == 1)[_USED]  # waves that a mirror turns over


def _least_correlation(
    sampled: list[Floats], rows: NDArray[np.int64], whole: Floats
) -> float | None:
    """What about 3 others a picture exceed, from LOWEST to HIGHEST; None: over 50 exceed HIGHEST.

    Args:
        sampled: for each window the shapes of some pictures.
        rows: their numbers.
        whole: (2N, D) shapes of all pictures, then of their mirror images.
    """
    n = len(whole) // 2
    best = np.full((len(rows), n), -1, np.float32)
    for of_window in sampled:
        for side in (whole[:n], whole[n:]):
            np.maximum(best, of_window @ side.T, out=best)
    best[np.arange(len(rows)), rows] = -1
    n_wanted = PER_PICTURE * len(rows)
    if best.size <= n_wanted:
        return LOWEST
    if (best > HIGHEST).sum() > MOST * len(rows):
        return None
    of_wanted = float(np.partition(best, -n_wanted, axis=None)[-n_wanted])
    return min(max(LOWEST, of_wanted), HIGHEST)


def _among_all(
    signatures: NDArray[np.float16], whole: Floats, least: float
) -> tuple[int, Iterator[Hits]]:
    """The windows of all pictures against all pictures: the number of blocks, and their hits."""
    n = len(signatures)
    shapes = np.stack([_shapes(signatures, window) for window in WINDOWS])
    everything = np.arange(2 * n)

    def block(start: int) -> Hits:
        some = shapes[:, start : start + ROWS]
        window, wider = np.divmod(np.arange(some.shape[0] * some.shape[1]), some.shape[1])
        return _hits(
            some.reshape(len(window), -1), wider + start, window, whole, everything, least, n
        )

    starts = range(0, n, ROWS)
    return len(starts), map(block, starts)


def _near_centres(
    signatures: NDArray[np.float16], whole: Floats, least: float
) -> tuple[int, Iterator[Hits]]:
    """The windows of all pictures against the shapes of their nearest centres, as `_among_all`."""
    n, centres = len(signatures), _centres(whole)
    starts = range(0, n, SLICE)
    members = _by_centre(_nearest(whole, centres, 1), len(centres))

    def blocks() -> Iterator[Hits]:
        for start, (number, window) in product(starts, enumerate(WINDOWS)):
            shapes = _shapes(signatures[start : start + SLICE], window)
            queries = _by_centre(_nearest(shapes, centres, N_NEAREST), len(centres))
            for some, of in zip(queries, members, strict=True):
                windows = np.full(len(some), number)
                yield _hits(shapes[some], some + start, windows, whole[of], of, least, n)

    return len(starts) * len(WINDOWS) * len(centres), blocks()


def _centres(whole: Floats) -> Floats:
    """Centres of length 1 by k-means on a sample of the shapes: (K, D)."""
    n = min(round(CENTRES * len(whole) ** 0.5), np.iinfo(np.int16).max)
    some = whole[np.linspace(0, len(whole) - 1, min(len(whole), A_CENTRE * n)).astype(np.int64)]
    centres = some[np.linspace(0, len(some) - 1, n).astype(np.int64)]
    for _ in range(N_ROUNDS):
        nearest = _nearest(some, centres, 1)
        for number, of in enumerate(_by_centre(nearest, n)):
            if len(of):
                centres[number] = some[of].mean(axis=0)
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-3)
    return centres


def _nearest(shapes: Floats, centres: Floats, n: int) -> NDArray[np.int16]:
    """The `n` nearest centres of each shape, in any order: (N, n), or all where they are fewer."""
    n = min(n, len(centres))
    found = np.empty((len(shapes), n), np.int16)  # which argsort sorts fast
    for start in range(0, len(shapes), COLUMNS):
        alike = shapes[start : start + COLUMNS] @ centres.T
        best = (
            np.argpartition(alike, -n, axis=1)[:, -n:] if n > 1 else alike.argmax(axis=1)[:, None]
        )
        found[start : start + COLUMNS] = best
    return found


def _by_centre(nearest: NDArray[np.int16], n_centres: int) -> list[NDArray[np.int64]]:
    """The numbers of the shapes of each centre, ascending."""
    order = np.argsort(nearest.ravel(), kind="stable")
    counts = np.bincount(nearest.ravel(), minlength=n_centres)
    order //= nearest.shape[1]
    return np.split(order, np.cumsum(counts)[:-1])


def _hits(
    some: Floats, wider: NDArray[np.int64], window: NDArray[np.int64],
    whole: Floats, of: NDArray[np.int64], least: float, n: int,
) -> Hits:  # fmt: skip
    """The pairs above `least`.

    Args:
        some: (R, D) shapes in windows.
        wider, window: (R,) number of each one's picture, and of its window.
        whole: (C, D) shapes of whole pictures.
        of: (C,) number of each one's picture; `n` more for its mirror image.
        least: correlation.
        n: pictures in all.
    """
    found = [np.zeros((0, 4))]
    n_rows = ROWS * len(WINDOWS)
    for top, left in product(range(0, len(some), n_rows), range(0, len(whole), COLUMNS)):
        alike = some[top : top + n_rows] @ whole[left : left + COLUMNS].T
        places = np.flatnonzero(alike > least)
        row, column = np.divmod(places, alike.shape[1])
        mirrored, seen = np.divmod(of[column + left], n)
        one = wider[row + top]
        low, high = np.minimum(seen, one), np.maximum(seen, one)
        side = 2 * (one > seen) + mirrored
        hits = np.stack([low * n + high, side, window[row + top], alike.flat[places]], axis=1)
        found.append(hits[seen != one])
    return np.concatenate(found)


def _best_of_each_pair(found: list[Hits]) -> Hits:
    """Of each pair, the hit with the highest correlation, sorted by pair."""
    hits = np.concatenate(found)
    hits = hits[np.lexsort((-hits[:, 3], hits[:, 0]))]
    return hits[np.diff(hits[:, 0], prepend=-1) > 0]


def _as_candidates(hits: Hits, n: int) -> Candidates:
    pair, side, window = hits[:, :3].astype(np.int64).T
    low, high = pair // max(n, 1), pair % max(n, 1)
    is_high = side >= 2  # the higher number has the window
    return Candidates(
        np.where(is_high, low, high), np.where(is_high, high, low), window, side % 2 == 1
    )
