"""A choice by valid, scored on pictures that did not choose."""

from collections.abc import Callable

import numpy as np

from headstart.evaluation.choice import best_elsewhere


def test_each_fold_is_scored_by_what_the_others_choose() -> None:
    scores = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1]], float)
    folds = np.arange(5)
    # without the first picture the second checkpoint is better (3 to 2), without the last one the
    # first; without the third they are equal, and the last of equals is chosen
    assert best_elsewhere(scores, folds).tolist() == [0, 0, 1, 0, 0]


def test_pictures_in_one_fold_take_the_last_checkpoint() -> None:
    scores = np.array([[1, 1, 1], [0, 0, 1]], float)
    assert best_elsewhere(scores, np.zeros(3, np.int64)).tolist() == [0, 0, 1]


def test_the_optimism_of_a_choice_among_equals_is_seen(figures: Callable[[str], None]) -> None:
    """Thirty networks that are right by chance: the best of them on valid is no better than others."""
    claimed, crossed, rng = [], [], np.random.default_rng(0)
    for _ in range(40):
        hits = (rng.random((30, 200)) < 0.8).astype(float)
        claimed.append(hits.mean(axis=1).max())
        crossed.append(best_elsewhere(hits, np.arange(200) % 5).mean())
    assert np.mean(claimed) > 0.84
    assert abs(np.mean(crossed) - 0.8) < 0.02
    figures(
        f"best of 30 networks of accuracy 0.800: claimed {np.mean(claimed):.3f}, "
        f"cross-fitted {np.mean(crossed):.3f}"
    )
