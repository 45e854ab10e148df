"""Cached features of some pictures, read as they are needed, so that no memory need hold them all."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_ROWS = 2**14  # in memory at a time


@dataclass(frozen=True)
class ViewRows:
    """Features (N, D) of one view, which slices and numpy.array read.

    Attributes:
        cached: (M, D) float32 of all pictures, possibly memory-mapped.
        rows: (N) row numbers.
    """

    cached: NDArray[np.float32]
    rows: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        return len(self.rows), self.cached.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.cached[self.rows[key]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float32]:
        return np.asarray(self[:], dtype)


@dataclass(frozen=True)
class FeatureRows:
    """Features (V, N, D) of some pictures of a cache, indexed as an array of this shape is.

    `features[views, rows]` reads (B, D) of B pairs, `features[view]` gives one view, still unread.

    Attributes:
        cached: (V, M, D) float32 of all pictures, possibly memory-mapped.
        rows: (N) row numbers.
    """

    cached: NDArray[np.float32]
    rows: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(V, N, D)."""
        return self.cached.shape[0], len(self.rows), self.cached.shape[2]

    def __len__(self) -> int:
        return len(self.cached)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            views, rows = key
            return self.cached[views, self.rows[rows]]
        return ViewRows(self.cached[key], self.rows)


def parts(features: NDArray[np.float32] | ViewRows) -> Iterator[NDArray[np.float32]]:
    """Yield features (N, D) in parts of at most N_ROWS rows; at least one part."""
    for first in range(0, max(1, len(features)), N_ROWS):
        yield np.asarray(features[first : first + N_ROWS])
