"""Folds of pictures: what is chosen on all folds but one is scored on that one."""

from collections.abc import Sequence

import numpy as np

from headstart.scores.metrics import Ints

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
