"""Searched thresholds against an exhaustive search, and decisions that never saw their picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.scores import thresholds
from headstart.scores.folds import folds_of
from headstart.scores.metrics import Floats
from headstart.scores.multi_label import Bools, f_beta
from headstart.scores.thresholds import (
    DEFAULT_THRESHOLD,
    GRID,
    Search,
    cross_fitted,
    decide,
    find_thresholds,
)

SEARCHES: tuple[Search, ...] = ("global", "per_label")


def make(seed: int, n: int = 60, k: int = 4, n_digits: int = 2) -> tuple[Floats, Bools]:
    """Probabilities (N, K) that know something of the truth (N, K), each label on its own scale."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, k)) < np.linspace(0.1, 0.8, k)
    signal = np.where(truth, rng.beta(4, 2, (n, k)), rng.beta(2, 4, (n, k)))
    return (signal ** np.linspace(0.5, 3, k)).round(n_digits), truth


def f2(probabilities: Floats, truth: Bools, found: tuple[float, ...]) -> float:
    return float(f_beta(decide(probabilities, found), truth).mean())


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(2, 5))
def test_the_global_threshold_is_the_best_of_the_grid(seed: int, n: int, k: int) -> None:
    probabilities, truth = make(seed, n, k)
    found = find_thresholds(probabilities, truth, "global")
    assert len(set(found)) == 1 and len(found) == k
    scores = [f2(probabilities, truth, (value,) * k) for value in GRID]
    assert f2(probabilities, truth, found) == pytest.approx(max(scores))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_thresholds_per_label_cannot_be_improved_one_at_a_time(seed: int) -> None:
    probabilities, truth = make(seed, n=40, k=3)
    found = find_thresholds(probabilities, truth, "per_label")
    best = f2(probabilities, truth, found)
    assert best >= f2(probabilities, truth, find_thresholds(probabilities, truth, "global")) - 1e-12
    naive = naive_ascent(probabilities, truth)
    assert best == pytest.approx(f2(probabilities, truth, naive))
    assert found == naive


def naive_ascent(probabilities: Floats, truth: Bools) -> tuple[float, ...]:
    """The same search with nothing kept: every score is computed anew."""
    found = list(find_thresholds(probabilities, truth, "global"))
    for _ in range(3):
        before = found.copy()
        for k in (truth.sum(axis=0) >= 3).nonzero()[0]:
            tried = [(*found[:k], float(value), *found[k + 1 :]) for value in GRID]
            scores = np.array([f2(probabilities, truth, values) for values in tried])
            if scores.max() > f2(probabilities, truth, tuple(found)) + 1e-9:
                found[k] = GRID[middle_of_longest_run(scores > scores.max() - 1e-9)]
        if found == before:
            break
    return tuple(found)


def middle_of_longest_run(high: Bools) -> int:
    runs: list[list[int]] = []
    for place in high.nonzero()[0].tolist():
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    longest = max(runs, key=len)
    return longest[(len(longest) - 1) // 2]


def test_of_a_plateau_the_middle_is_taken() -> None:
    # Every value in (0.2, 0.6] separates: 0.21 … 0.60, of which 0.40 is the lower middle.
    probabilities = np.array([[0.6, 0.2], [0.2, 0.9], [0.7, 0.1]])
    truth = np.array([[1, 0], [0, 1], [1, 0]], bool)
    assert find_thresholds(probabilities, truth, "global") == (0.4, 0.4)
    assert find_thresholds(probabilities, truth, "per_label") == (0.4, 0.4)


def test_each_label_gets_its_own_where_one_does_not_fit_all() -> None:
    truth = np.tile(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], bool), (5, 1))
    probabilities = np.where(truth, [0.3, 0.9], [0.1, 0.6])
    low, high = find_thresholds(probabilities, truth, "per_label")
    assert 0.1 < low <= 0.3 and 0.6 < high <= 0.9
    assert f2(probabilities, truth, (low, high)) == 1
    assert f2(probabilities, truth, find_thresholds(probabilities, truth, "global")) < 1


@pytest.mark.parametrize(("n_positive", "moves"), [(0, False), (2, False), (3, True)])
def test_a_rare_label_keeps_the_global_threshold(n_positive: int, moves: bool) -> None:
    truth = np.zeros((40, 2), bool)
    truth[:30, 0] = True
    truth[:n_positive, 1] = True
    probabilities = np.where(truth, [0.4, 0.9], [0.1, 0.6])
    common = find_thresholds(probabilities, truth, "global")
    found = find_thresholds(probabilities, truth, "per_label")
    assert 0.1 < common[0] <= 0.4  # the frequent label decides; the rare one wants more than 0.6
    assert f2(probabilities, truth, (common[0], 0.75)) > f2(probabilities, truth, common)
    assert (found[1] > 0.6) == moves and found[0] == common[0]


def test_a_value_on_the_threshold_is_decided() -> None:
    probabilities = np.array([[0.2, 0.2], [0.19999, 0.20001]])
    assert decide(probabilities, (0.2, 0.2)).tolist() == [[True, True], [False, True]]
    for value in GRID:  # the search counts as decide does, on every value of its grid
        assert decide(np.array([[value]]), (float(value),)).all()


def test_thresholds_of_another_number_of_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="3 labels need as many thresholds, found 2"):
        decide(np.zeros((1, 3)), (0.5, 0.5))


@pytest.mark.parametrize("search", SEARCHES)
def test_without_pictures_the_default_is_used(search: Search) -> None:
    nothing = np.zeros((0, 3))
    assert find_thresholds(nothing, nothing.astype(bool), search) == (DEFAULT_THRESHOLD,) * 3
    assert cross_fitted(nothing, nothing.astype(bool), search, np.arange(0)).shape == (0, 3)


@pytest.mark.parametrize("search", SEARCHES)
def test_where_no_picture_has_a_label_none_is_decided(search: Search) -> None:
    probabilities, truth = np.full((6, 2), 0.3), np.zeros((6, 2), bool)
    found = find_thresholds(probabilities, truth, search)
    assert not decide(probabilities, found).any()


@pytest.mark.parametrize("search", SEARCHES)
def test_decisions_about_a_picture_do_not_depend_on_its_own_labels(search: Search) -> None:
    probabilities, truth = make(3, n=50)
    folds = np.arange(50) % 5
    decided = cross_fitted(probabilities, truth, search, folds)
    for fold in range(5):
        changed = truth.copy()
        changed[fold::5] = ~changed[fold::5]
        again = cross_fitted(probabilities, changed, search, folds)
        assert (again[fold::5] == decided[fold::5]).all()
    assert (cross_fitted(probabilities, ~truth, search, folds) != decided).any()


def test_each_fold_is_decided_at_what_the_others_say() -> None:
    probabilities, truth = make(4, n=23)
    decided = cross_fitted(probabilities, truth, "global", np.arange(23) % 3)
    for fold in range(3):
        others = np.arange(23) % 3 != fold
        found = find_thresholds(probabilities[others], truth[others], "global")
        assert (decided[~others] == decide(probabilities[~others], found)).all()


def test_fewer_groups_than_folds_are_decided_at_the_default() -> None:
    probabilities, truth = make(5, n=4)
    folds = folds_of(["a", "b", "c", "d"])
    expected = decide(probabilities, (DEFAULT_THRESHOLD,) * 4)
    assert (cross_fitted(probabilities, truth, "per_label", folds) == expected).all()


def test_a_search_claims_more_than_it_holds_and_cross_fitting_does_not() -> None:
    claimed, fitted, held, folds = [], [], [], np.arange(60) % 5
    for seed in range(20):
        probabilities, truth = noise(seed, 60)
        found = find_thresholds(probabilities, truth, "per_label")
        claimed.append(f2(probabilities, truth, found))
        fitted.append(f_beta(cross_fitted(probabilities, truth, "per_label", folds), truth).mean())
        held.append(f2(*noise(1000 + seed, 2000), found))
    assert np.mean(claimed) > np.mean(held) + 0.04
    # a little too strict, as each fold is decided by four fifths of the pictures
    assert np.mean(held) - 0.03 < np.mean(fitted) < np.mean(held) + 0.005


def noise(seed: int, n: int) -> tuple[Floats, Bools]:
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 6)) < 0.3
    return rng.random((n, 6)) * 0.7 + 0.3 * truth, truth


def test_the_grid_and_the_default_are_those_that_are_promised() -> None:
    assert GRID.tolist() == [round(0.01 * step, 2) for step in range(1, 100)]
    assert thresholds.DEFAULT_THRESHOLD == 0.2
