"""Pairs of pictures that look alike: one picture re-encoded, scaled or a little brighter, or one scene.

Mirrored, turned and cropped copies are not found.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_BITS = (
    12  # of 128, by which two pictures that look alike differ; docs/own_pictures.md has figures
)
MARGIN = 3  # times as far apart as these other pictures must be
PER_PICTURE = 4  # pairs a picture that copies may make: 9 pictures of each scene
TOO_NEAR = 24  # bits; where other pictures are nearer, copies cannot be told from them
N_ROWS = 64  # compared at once; with 20,000 pictures this takes 20 MB


class Alike(NamedTuple):
    """Two pictures that look alike.

    Attributes:
        first, second: their paths, in the order of the paths.
        n_bits: of 128 in which their hashes differ, 0 to 12.
    """

    first: str
    second: str
    n_bits: int


def look_alikes(hashes: Mapping[str, NDArray[np.uint64]]) -> list[Alike] | None:
    """Find all pairs of pictures whose hashes are near, for these pictures.

    How near is near follows from the pictures. Let q be the distance within which there are more than
    4 pairs a picture: most of these are different pictures, as copies make fewer. A pair looks alike
    up to q / 3, and at most 12 bits. Where q is below 24, the pictures are too similar (forms, digits,
    frames of a video) for this hash.

    All pairs are compared: 20,000 pictures take about a second.

    Args:
        hashes: (2,) the 128 bits of each picture, by path.

    Returns:
        the pairs, in the order of the paths; None: the pictures are too similar.
    """
    paths = list(hashes)
    words = np.array(list(hashes.values()), np.uint64).reshape(-1, 2).T.copy()  # (2, N)
    reach, limit = MARGIN * MAX_BITS, PER_PICTURE * len(paths)
    counts = np.zeros(reach + 1, np.int64)  # pairs at each distance
    near: list[Alike] = []
    for start in range(0, len(paths), N_ROWS):
        n_bits = _n_differing(words[:, start : start + N_ROWS], words[:, start:])
        rows, columns = np.nonzero(n_bits <= reach)
        rows, columns = rows[columns > rows], columns[columns > rows]
        found = n_bits[rows, columns]
        counts += np.bincount(found, minlength=reach + 1)
        if counts[:TOO_NEAR].sum() > limit:
            return None
        for k in np.flatnonzero(found <= MAX_BITS):
            first, second = paths[start + rows[k]], paths[start + columns[k]]
            near.append(Alike(first, second, int(found[k])))
    q = int(np.searchsorted(np.cumsum(counts), limit, side="right"))
    return [pair for pair in near if pair.n_bits <= q // MARGIN]


def _n_differing(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Bits in which each of (2, A) differs from each of (2, B) hashes, (A, B)."""
    n_bits: NDArray[np.uint8] = np.bitwise_count(some[0][:, None] ^ others[0])
    n_bits += np.bitwise_count(some[1][:, None] ^ others[1])
    return n_bits
