"""Folds in which no group is split and each class is spread as evenly as its groups allow."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.backbone.seeding import permutation


def deal(kinds: Sequence[int], groups: Sequence[str], n_folds: int, seed: int) -> NDArray[np.int64]:
    """The fold (N,) of each picture, from 0; there are no more folds than groups.

    Groups are dealt in a random order, large ones first. Each goes to the fold that has the fewest
    pictures of its kind so far; among equals, to the one with the fewest pictures.

    Args:
        kinds: (N) what the folds should have in equal parts, such as the class.
        groups: (N) name of each picture's group.
        n_folds: at least 2.
        seed: of the order.
    """
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    dealt = list(members.values())
    order = sorted(
        permutation(len(dealt), seed, "folds").tolist(), key=lambda place: -len(dealt[place])
    )
    n_folds = max(1, min(n_folds, len(dealt)))
    of_kind = np.zeros((max(kinds, default=0) + 1, n_folds), np.int64)
    folds = np.zeros(len(kinds), np.int64)
    for place in order:
        rows = dealt[place]
        kind = kinds[rows[0]]
        fold = np.lexsort((of_kind.sum(axis=0), of_kind[kind]))[0]  # the last key counts first
        folds[rows] = fold
        np.add.at(of_kind[:, fold], [kinds[row] for row in rows], 1)
    return folds
