"""Paired differences of macro-F1 and mAP, against scikit-learn and against resampling pictures."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from headstart.comparison.wholes import difference_of_macro_f1, difference_of_map
from headstart.scores.metrics import Ints

RESAMPLING = (4000, 0.95)


def drawn(n: int, seed: int = 0) -> tuple[Ints, Ints, Ints]:
    """Predictions of two networks and targets, 4 classes, one of which is never true."""
    draws = np.random.default_rng(seed)
    targets = draws.integers(3, size=n)
    said = [np.where(draws.random(n) < p, targets, draws.integers(4, size=n)) for p in (0.6, 0.8)]
    return said[0], said[1], targets


def test_macro_f1_is_that_of_scikit_learn() -> None:
    before, after, targets = drawn(200)
    a, b, difference = difference_of_macro_f1(
        before, after, targets, *RESAMPLING, np.random.default_rng(0)
    )
    expected = [f1_score(targets, said, average="macro") for said in (before, after)]
    assert (a, b) == pytest.approx(tuple(expected))
    assert difference.value == b - a


def test_the_interval_of_macro_f1_is_that_of_resampled_pictures() -> None:
    before, after, targets = drawn(150)
    draws = np.random.default_rng(1)
    differences = []
    for _ in range(400):
        rows = draws.integers(150, size=150)
        x, y = (f1_score(targets[rows], said[rows], average="macro") for said in (before, after))
        differences.append(y - x)
    *_, found = difference_of_macro_f1(before, after, targets, *RESAMPLING, draws)
    low, high = np.quantile(differences, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03)


def test_map_is_that_of_scikit_learn_and_its_interval_is_paired() -> None:
    draws = np.random.default_rng(2)
    truth = draws.random((120, 3)) < 0.4
    before = np.clip(truth * 0.3 + draws.random((120, 3)) * 0.7, 0, 1)
    after = np.clip(before + truth * 0.1, 0, 1)
    a, b, found = difference_of_map(before, after, truth, *RESAMPLING, draws)
    expected = [average_precision_score(truth, p, average="macro") for p in (before, after)]
    assert (a, b) == pytest.approx(tuple(expected))
    assert 0 < found.low < found.value < found.high < 0.2  # each alone is known to within 0.15


def test_equal_networks_differ_by_nothing() -> None:
    before, _, targets = drawn(50)
    *_, found = difference_of_macro_f1(
        before, before, targets, *RESAMPLING, np.random.default_rng(0)
    )
    assert (found.value, found.low, found.high) == (0, 0, 0) and found.within_noise
    p, truth = np.eye(3), np.eye(3, dtype=bool)
    *_, of_map = difference_of_map(p, p, truth, *RESAMPLING, np.random.default_rng(0))
    assert (of_map.value, of_map.low, of_map.high) == (0, 0, 0)


def test_a_resample_without_any_label_is_left_out() -> None:
    truth = np.array([[True], [False], [False]])
    p = np.array([[0.9], [0.2], [0.1]])
    *_, found = difference_of_map(p, 1 - p, truth, *RESAMPLING, np.random.default_rng(0))
    assert np.isfinite([found.low, found.high]).all() and found.low < 0
