"""Finds near duplicates: one shot in two files, re-encoded, scaled, mirrored or cropped a little.

Pictures turned by a quarter or upside down are not found.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.indexing.alignment import align
from headstart.indexing.candidates import WINDOWS, Candidates, find_candidates
from headstart.indexing.joined import Joined
from headstart.project.report import Report

Floats = NDArray[np.float32]

LEVELS = tuple(k / 100 for k in range(70, 91))  # least similarities that are tried, loosest first
COPIES = 0.97  # where there is no valley: only files with nearly the same pixels
VALLEY = 0.1  # what must be nearly empty below a least similarity
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

    How similar is the same follows from the pictures: between copies, which are alike, and other
    pairs there must be a valley without pairs. So the least similarity is the first of 0.70 ... 0.90
    with nearly no pair within 0.1 below it. Failing that (frames of a video, digits), it is
    0.97, which re-encoded and scaled copies reach. If the pairs would still join more than 20
    pictures and 2 % of all into one group, the pictures are too similar to tell.

    Args:
        signatures: (N, 32, 32), as `pictures.signature` makes them.
        report: shows progress.

    Returns:
        the pairs, sorted; None: the pictures are too similar.
    """
    candidates = find_candidates(signatures, report)
    if candidates is None:
        return None
    pairs = _compared(signatures, candidates, report)
    similarity = np.array([pair.similarity for pair in pairs], np.float32)
    least = _least_similarity(similarity, len(signatures))
    near = sorted(pair for pair in pairs if pair.similarity >= least)
    if _largest(near) > max(MANY, PART * len(signatures)):
        return None
    return near


def _compared(signatures: NDArray[np.float16], found: Candidates, report: Report) -> list[Near]:
    """All candidates with their similarity; those that cannot matter are left out."""
    windows, n = np.array(WINDOWS, np.float32), len(found.whole)
    pairs = []
    starts = range(0, n, N_AT_ONCE)
    for start in report.progress(starts, len(starts), "align"):
        some = slice(start, start + N_AT_ONCE)
        whole, wider, mirrored = found.whole[some], found.wider[some], found.mirrored[some]
        seen = signatures[whole]
        seen = np.where(mirrored[:, None, None], seen[:, :, ::-1], seen)
        similarity, place = align(seen, signatures[wider], windows[found.window[some]])
        cropped = 2 * place[:, 1::2].min(axis=1) < CROPPED
        for k in np.flatnonzero(similarity >= LEVELS[0] - VALLEY):
            first, second = sorted((int(whole[k]), int(wider[k])))
            pairs.append(
                Near(first, second, float(similarity[k]), bool(mirrored[k]), bool(cropped[k]))
            )
    return pairs


def _least_similarity(similarity: Floats, n: int) -> float:
    """The loosest level with a valley below it, for `n` pictures; or COPIES."""
    allowed = max(FEW, n / ONE_IN)
    for level in LEVELS:
        if ((similarity >= level - VALLEY) & (similarity < level)).sum() <= allowed:
            return level
    return COPIES


def _largest(pairs: Iterable[Near]) -> int:
    """Pictures of the largest group that the pairs make."""
    joined = Joined()
    for pair in pairs:
        joined.join(str(pair.first), str(pair.second))
    return max(Counter(joined.groups().values()).values(), default=0)
