"""Finds near duplicates: one shot in two files, re-encoded, scaled, mirrored or cropped a little.

Pictures turned by a quarter or upside down are not found.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.indexing.alignment import align
from headstart.indexing.candidates import WINDOWS, Candidates, find_candidates
from headstart.indexing.joined import Joined
from headstart.project.report import Report

Floats = NDArray[np.float32]

LEVELS = tuple(k / 100 for k in range(42, 61))  # least peaks that are tried, loosest first
VALLEY = 0.06  # what must be nearly empty below a least peak
COPIES = 0.97  # similarity where there is no valley: only files with nearly the same pixels
FEW, ONE_IN = 3, 150  # pairs that may lie in the valley: 3, or one in 150 pictures
MANY, PART = 20, 0.02  # pictures of the largest group: 20, or this part of all
CROPPED = 0.97  # of a side, below which a window is a crop
N_AT_ONCE = 500  # pairs that are aligned; 20 MB


class Near(NamedTuple):
    """Two pictures that are near duplicates.

    Attributes:
        first, second: their numbers, the smaller first.
        similarity: as `alignment.Aligned` has it.
        mirrored: whether one is the other's mirror image.
        cropped: whether one shows a part of the other.
    """

    first: int
    second: int
    similarity: float
    mirrored: bool
    cropped: bool

    @property
    def kind(self) -> str:
        """How they differ: copy, mirrored, cropped, or both of these."""
        said = [name for name in ("mirrored", "cropped") if getattr(self, name)]
        return " ".join(said) or "copy"


def find_near_duplicates(signatures: NDArray[np.float16], report: Report) -> list[Near] | None:
    """Find the pairs that show the same shot, for these pictures.

    How alike is the same follows from the pictures: between copies and other pairs there must be a
    valley without pairs. So the least `peak` is the first of 0.42 ... 0.60 with nearly no pair within
    0.06 below it, which does not join more than 20 pictures and 2 % of all into one group. Pairs
    below it of which other pairs make one group already do not count: among several weak copies of
    one shot, some pairs are always weaker than others.

    Where there is a valley, but such a large group above it, the pictures are too similar to tell
    (frames of a video). Where there is no valley (digits), the least similarity is 0.97, which
    re-encoded and scaled copies reach.

    Args:
        signatures: (N, 32, 32), as `pictures.signature` makes them.
        report: shows progress.

    Returns:
        the pairs, sorted; None: the pictures are too similar.
    """
    candidates, n = find_candidates(signatures, report), len(signatures)
    if candidates is None:
        return None
    pairs, peaks = _compared(signatures, candidates, report)
    allowed, most = max(FEW, n / ONE_IN), max(MANY, PART * n)
    for level in LEVELS:
        near = _within(pairs, peaks, level, np.inf)
        below = _within(pairs, peaks, level - VALLEY, level)
        groups = _groups(near)
        between = [pair for pair in below if not _is_joined(pair, groups)]
        if _largest(groups) > most and len(below) <= allowed:
            return None
        if _largest(groups) <= most and len(between) <= allowed:
            return sorted(near)
    copies = sorted(pair for pair in pairs if pair.similarity >= COPIES)
    return copies if _largest(_groups(copies)) <= most else None


def _compared(
    signatures: NDArray[np.float16], found: Candidates, report: Report
) -> tuple[list[Near], Floats]:
    """The candidates that can matter, and the peak of each."""
    windows, n = np.array(WINDOWS, np.float32), len(found.whole)
    pairs: list[Near] = []
    peaks: list[float] = []
    starts = range(0, n, N_AT_ONCE)
    for start in report.progress(starts, len(starts), "align"):
        some = slice(start, start + N_AT_ONCE)
        whole, wider, mirrored = found.whole[some], found.wider[some], found.mirrored[some]
        seen = signatures[whole]
        seen = np.where(mirrored[:, None, None], seen[:, :, ::-1], seen)
        similarity, peak, place = align(seen, signatures[wider], windows[found.window[some]])
        cropped = 2 * place[:, 1::2].min(axis=1) < CROPPED
        for k in np.flatnonzero((peak >= LEVELS[0] - VALLEY) | (similarity >= COPIES)):
            peaks.append(float(peak[k]))
            first, second = sorted((int(whole[k]), int(wider[k])))
            pairs.append(
                Near(first, second, float(similarity[k]), bool(mirrored[k]), bool(cropped[k]))
            )
    return pairs, np.array(peaks, np.float32)


def _within(pairs: Sequence[Near], peaks: Floats, low: float, high: float) -> list[Near]:
    """The pairs whose peak is at least `low` and below `high`."""
    is_within = (peaks >= low) & (peaks < high)
    return list(compress(pairs, is_within))


def _groups(pairs: Iterable[Near]) -> dict[str, str]:
    """The first number of the group of each picture in the pairs."""
    joined = Joined()
    for pair in pairs:
        joined.join(str(pair.first), str(pair.second))
    return joined.groups()


def _is_joined(pair: Near, groups: Mapping[str, str]) -> bool:
    first = groups.get(str(pair.first))
    return first is not None and first == groups.get(str(pair.second))


def _largest(groups: Mapping[str, str]) -> int:
    """Pictures of the largest group."""
    return max(Counter(groups.values()).values(), default=0)
