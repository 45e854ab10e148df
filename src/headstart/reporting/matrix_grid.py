"""A confusion matrix as the cells of a table: the classes with the most errors, most first.

Axis letter: K classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from headstart.scores.metrics import Floats, Ints

N_CLASSES_SHOWN = 40
"""More rows and columns do not fit a screen."""
N_CLASSES_WITH_SHARES = 12
"""Above this many classes a cell has room for its count only."""
STRONGEST, FAINTEST = 55, 14
"""Tint of a cell whose share of its row is 1, and of one that is next to 0, in percent."""


class GridCell(NamedTuple):
    """One cell of the matrix."""

    n: int
    share: float
    """Of its row, in [0, 1]."""
    tint: int
    """Strength of its colour, in percent; 0 for an empty cell."""


class Grid(NamedTuple):
    """The part of a matrix that the page shows."""

    names: list[str]
    rows: list[list[GridCell]]
    """A row for each of `names`, a cell for each of `names`."""
    n_classes: int
    """K, without the one that stands for "no label"."""
    n_left_out: int
    """Classes that are not shown."""
    n_errors: int
    """Errors in the whole matrix."""
    n_errors_left_out: int
    """Errors of which either class is not shown."""

    @property
    def roomy(self) -> bool:
        """Whether a cell has room for its share."""
        return len(self.names) <= N_CLASSES_WITH_SHARES


def by_errors(counts: Ints) -> list[int]:
    """Class numbers by the errors of counts (K, K) in their row and column, most first."""
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    errors = wrong.sum(axis=0) + wrong.sum(axis=1)
    return [int(number) for number in np.argsort(-errors, kind="stable")]


def matrix_grid(counts: Ints, names: Sequence[str], last_is_none: bool = False) -> Grid:
    """The N_CLASSES_SHOWN classes with the most errors, of a matrix (K, K) with rows actual.

    Args:
        counts: (K, K)
        names: K
        last_is_none: whether the last class stands for "no label"; it is then always shown, last.
    """
    none = [len(counts) - 1] if last_is_none else []
    ordered = [number for number in by_errors(counts) if number not in none]
    shown = [*ordered[:N_CLASSES_SHOWN], *none]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    block = counts[np.ix_(shown, shown)]
    n_errors = int(counts.sum() - counts.trace())
    return Grid(
        names=[names[number] for number in shown],
        rows=_cells(block, shares[np.ix_(shown, shown)]),
        n_classes=len(ordered),
        n_left_out=max(0, len(ordered) - N_CLASSES_SHOWN),
        n_errors=n_errors,
        n_errors_left_out=n_errors - int(block.sum() - block.trace()),
    )


def _cells(counts: Ints, shares: Floats) -> list[list[GridCell]]:
    tints = np.where(counts > 0, np.rint(FAINTEST + (STRONGEST - FAINTEST) * shares), 0).astype(int)
    return [
        [GridCell(*cell) for cell in zip(*row, strict=True)]
        for row in zip(counts.tolist(), shares.tolist(), tints.tolist(), strict=True)
    ]
