"""Temperature scaling: what it gives, which temperature it finds, and what it leaves alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from headstart.labels.task import Task
from headstart.scores.calibration import (
    TEMPERATURES,
    Truth,
    brier_scores,
    calibrated,
    cross_calibrated,
    find_temperature,
)
from headstart.scores.folds import folds_of
from headstart.scores.metrics import Floats, log_loss
from headstart.scores.multi_label import binary_cross_entropies

TASKS: tuple[Task, ...] = ("single_label", "multi_label")


def squashed(logits: Floats, task: Task) -> Floats:
    return np.asarray(softmax(logits, axis=-1) if task == "single_label" else expit(logits))


def told(task: Task, n: int, k: int, sureness: float, seed: int = 0) -> tuple[Floats, Truth]:
    """Probabilities whose logits are `sureness` times those that the truth was drawn with."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, k))
    p = squashed(logits, task)
    truth: Truth
    if task == "single_label":
        truth = np.array([rng.choice(k, p=row) for row in p])
    else:
        truth = rng.random((n, k)) < p
    return squashed(sureness * logits, task), truth


def loss_of(task: Task) -> Callable[[Floats, Any], float]:
    return log_loss if task == "single_label" else lambda p, t: binary_cross_entropies(p, t).mean()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.floats(0.05, 20), st.sampled_from(TASKS))
def test_it_is_that_of_the_logits(seed: int, temperature: float, task: Task) -> None:
    logits = np.random.default_rng(seed).normal(0, 4, (20, 5))
    found = calibrated(squashed(logits, task), temperature, task)
    assert found == pytest.approx(squashed(logits / temperature, task), abs=1e-9)
    rows, likeliest = np.arange(20), logits.argmax(axis=1)
    assert (found[rows, likeliest] == found.max(axis=1)).all()  # others may round to the same


@pytest.mark.parametrize("task", TASKS)
def test_at_1_nothing_changes(task: Task) -> None:
    said, _ = told(task, 10, 3, 1)
    assert calibrated(said, 1.0, task) is said


@pytest.mark.parametrize("task", TASKS)
def test_certain_probabilities_stay_finite(task: Task) -> None:
    said = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    for temperature in TEMPERATURES:
        found = calibrated(said, temperature, task)
        assert np.isfinite(found).all() and (found >= 0).all() and (found <= 1).all()
        assert (found.argmax(axis=1) == said.argmax(axis=1)).all()


@pytest.mark.parametrize("sureness", [0.4, 1, 3])
@pytest.mark.parametrize("task", TASKS)
def test_it_finds_how_much_too_sure_the_network_is(
    task: Task, sureness: float, figures: Callable[[str], None]
) -> None:
    said, truth = told(task, 20_000, 4, sureness)
    found = find_temperature(said, truth, task)
    assert found == pytest.approx(sureness, rel=0.05)
    figures(f"{task}, {sureness} times as sure as right: T = {found:.3f}")


@pytest.mark.parametrize("task", TASKS)
def test_no_other_temperature_has_a_lower_loss(task: Task) -> None:
    said, truth = told(task, 3_000, 5, 2.2, seed=1)
    n, loss = len(said), loss_of(task)

    def total(log_t: float) -> float:
        b = np.exp(-log_t)
        return float(loss(calibrated(said, 1 / b, task), truth) + (b - np.log(b)) / n)

    best = minimize_scalar(total, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    assert find_temperature(said, truth, task) == pytest.approx(np.exp(best.x), rel=1e-5)


@pytest.mark.parametrize("n", [1, 20, 2_000])
@pytest.mark.parametrize("task", TASKS)
def test_where_all_are_right_it_is_finite_and_nearer_to_1_with_few_pictures(
    task: Task, n: int
) -> None:
    said = np.tile([0.9, 0.1], (n, 1))
    truth: Truth = np.zeros(n, np.int64)
    if task == "multi_label":
        truth = said > 0.5
    found = find_temperature(said, truth, task)
    assert {1: 0.6, 20: 0.3, 2_000: 0.15}[n] < found < 1
    # and where none is
    assert 1 < find_temperature(said[:, ::-1].copy(), truth, task) <= TEMPERATURES[1]


@pytest.mark.parametrize("task", TASKS)
def test_limits_are_kept(task: Task) -> None:
    sure = np.tile([1 - 1e-12, 1e-12], (5_000, 1))
    truth: Truth = np.ones(5_000, np.int64) if task == "single_label" else sure < 0.5
    assert find_temperature(sure, truth, task) == pytest.approx(TEMPERATURES[1])
    unsure = np.tile([0.5 + 1e-6, 0.5 - 1e-6], (5_000, 1))
    truth = np.zeros(5_000, np.int64) if task == "single_label" else unsure > 0.5
    assert TEMPERATURES[0] <= find_temperature(unsure, truth, task) < 1


@pytest.mark.parametrize("task", TASKS)
def test_without_pictures_and_with_impossible_ones(task: Task) -> None:
    none = np.zeros((0, 3))
    assert find_temperature(none, none.astype(bool), task) == 1
    said = np.array([[1.0, 0.0], [1.0, 0.0], [0.3, 0.7]])  # one picture is of the impossible class
    truth: Truth = np.array([0, 1, 1])
    if task == "multi_label":
        truth = np.eye(2, dtype=bool)[truth]
    assert 1 < find_temperature(said, truth, task) <= TEMPERATURES[1]


def test_a_class_that_does_not_occur_is_no_obstacle() -> None:
    said, truth = told("single_label", 500, 4, 2, seed=3)
    assert find_temperature(said[truth < 2], truth[truth < 2], "single_label") > 1


@pytest.mark.parametrize("task", TASKS)
def test_the_labels_of_a_fold_do_not_calibrate_it(task: Task) -> None:
    said, truth = told(task, 60, 3, 2)
    folds = folds_of([f"{i // 3:02}" for i in range(60)])
    found = cross_calibrated(said, truth, task, folds)
    for fold in range(5):
        other = truth.copy()
        inside = folds == fold
        other[inside] = ~truth[inside] if task == "multi_label" else 2 - truth[inside]
        again = cross_calibrated(said, other, task, folds)
        assert (again[inside] == found[inside]).all() and (again != found).any()
    assert (cross_calibrated(said, truth, task, np.zeros(60, np.int64)) == said).all()


def test_a_group_is_in_one_fold_and_few_groups_are_in_none() -> None:
    assert folds_of(["b", "a", "b", "c", "d", "e", "f"]).tolist() == [1, 0, 1, 2, 3, 4, 0]
    assert folds_of(["a", "b", "c", "d", "d"]).tolist() == [0] * 5
    assert folds_of([]).tolist() == []


def test_the_brier_score_is_the_squared_distance() -> None:
    said, truth = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]), np.array([0, 1])
    distance = ((said - np.eye(3)[truth]) ** 2).sum(axis=1)
    assert brier_scores(said, truth, "single_label") == pytest.approx(distance)
    hot = np.array([[True, True, False], [False, False, True]])
    assert brier_scores(said, hot, "multi_label") == pytest.approx(((said - hot) ** 2).mean(axis=1))
