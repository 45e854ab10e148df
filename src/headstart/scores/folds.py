"""Folds of pictures: what is chosen on all folds but one is scored on that one."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.scores.metrics import Floats, Ints

N_FOLDS = 5


def folds_of(groups: Sequence[str]) -> Ints:
    """The fold of each of N pictures, (N,): 0 to N_FOLDS − 1; a group is in one fold.

    The sorted groups take turns. A picture that belongs with no other is its own group, named by a
    digest of its content, so its fold is random and stable. Fewer groups than folds are all in
    fold 0: nothing can be chosen without them.
    """
    names, numbers = np.unique(np.array(groups, object).astype(str), return_inverse=True)
    if len(names) < N_FOLDS:
        return np.zeros(len(numbers), np.int64)
    return np.asarray(numbers % N_FOLDS, np.int64)


def cross_chosen(
    values: Sequence[Floats], folds: Ints, choose: Callable[[NDArray[np.bool_]], int]
) -> Floats:
    """The values of each picture (N, ...) by the candidate that is chosen on the other folds.

    Args:
        values: (N, ...) of each picture by each candidate.
        folds: (N,) as folds_of gives it.
        choose: marks (N,) of the pictures that choose -> number of the candidate. Where all pictures
            are in one fold, it marks none.
    """
    found = np.empty_like(values[0])
    for fold in np.unique(folds):
        inside = folds == fold
        found[inside] = values[choose(~inside)][inside]
    return found
