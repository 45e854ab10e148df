"""Intervals of ROC-AUC: how often they hold the true area, and that they stay inside [0, 1]."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from headstart.evaluation.roc_intervals import area_interval, mean_area_interval
from headstart.scores.roc import roc_areas

SHIFTS = np.array([1.0, 2.0, 3.0])
TRUE = np.array([NormalDist().cdf(shift / 2**0.5) for shift in SHIFTS])
"""The areas where a class shifts a normal score."""


def test_they_hold_the_true_area_as_often_as_they_say(figures: Callable[[str], None]) -> None:
    rng, one, mean = np.random.default_rng(0), [], []
    for _ in range(400):
        classes = rng.integers(3, size=120)
        truth = classes[:, None] == np.arange(3)
        found = roc_areas(rng.normal(size=(120, 3)) + SHIFTS * truth, truth)
        for area, n_with, true in zip(found.areas, found.n_with, TRUE, strict=True):
            low, high = area_interval(float(area), int(n_with), 120 - int(n_with), 0.95)
            one.append(low <= true <= high)
        low, high = mean_area_interval(found, 0.95)
        mean.append(low <= TRUE.mean() <= high)
    assert 0.93 < np.mean(one) < 0.98
    assert 0.92 < np.mean(mean) < 0.98
    figures(f"of 95 % intervals of ROC-AUC, {np.mean(mean):.1%} of 400 hold the true mean area")


@pytest.mark.parametrize(
    ("classes", "held"),
    [
        ([0] + [1] * 20 + [2] * 20, 0.93),  # 0.71 by the influences alone
        ([0] * 3 + [1] * 2 + [2], 0.93),
        ([*range(30)], 0.83),  # 0.44 by the influences alone
    ],
    ids=["one lone class", "few pictures", "lone classes alone"],
)
def test_a_class_of_one_picture_is_not_certain(classes: list[int], held: float) -> None:
    rng, n = np.random.default_rng(1), max(classes) + 1
    truth = np.array(classes)[:, None] == np.arange(n)
    shifts = np.linspace(1.5, 3.0, n)
    true = np.mean([NormalDist().cdf(shift / 2**0.5) for shift in shifts])
    holds = []
    for _ in range(400):
        found = roc_areas(rng.normal(size=truth.shape) + shifts * truth, truth)
        low, high = mean_area_interval(found, 0.95)
        assert 0 <= low <= found.areas.mean() <= high <= 1
        holds.append(low <= true <= high)
    assert np.mean(holds) > held


def test_the_one_picture_of_another_class_has_no_influence_either() -> None:
    truth = np.repeat(np.eye(2, dtype=bool), [1, 20], axis=0)
    of_first = np.random.default_rng(0).normal(size=21) + 2 * truth[:, 0]
    found = roc_areas(np.stack([of_first, -of_first], axis=1), truth)
    first, second = found.areas.tolist()
    assert first == pytest.approx(second)
    assert mean_area_interval(found, 0.95) == pytest.approx(area_interval(first, 1, 20, 0.95))


@pytest.mark.parametrize("area", [0.0, 1.0])
def test_a_perfect_area_is_not_certain(area: float) -> None:
    low, high = area_interval(area, 10, 30, 0.95)
    assert low == 0 if area == 0 else high == pytest.approx(1)
    assert 0.05 < high - low < 0.3
    truth = np.repeat(np.eye(2, dtype=bool), 20, axis=0)
    found = roc_areas(truth.astype(float), truth)
    assert found.areas.tolist() == [1, 1]
    assert mean_area_interval(found, 0.95) == pytest.approx(area_interval(1.0, 20, 20, 0.95))


def test_more_pictures_and_less_confidence_make_it_narrower() -> None:
    widths = [
        np.diff(area_interval(0.9, n, 3 * n, level))
        for n, level in ((10, 0.95), (100, 0.95), (100, 0.8))
    ]
    assert widths[0] > 2 * widths[1] > 2 * widths[2]
    low, high = area_interval(0.9, 100, 300, 0.95)
    assert low < 0.9 < high
