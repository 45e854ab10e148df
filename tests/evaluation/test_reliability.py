"""Bins of confidence, and the expected calibration error."""

import numpy as np
import pytest

from headstart.evaluation.reliability import N_BINS, expected_calibration_error, reliability_bins


def test_bins_exclude_their_lower_edge_and_the_first_holds_0() -> None:
    confidence = np.array([0.0, 1 / 15, 1 / 15 + 1e-6, 1 / 3, 1.0])
    bins = reliability_bins(confidence, np.ones(5, bool))
    assert [(round(bin_.low * N_BINS), bin_.n) for bin_ in bins] == [
        (0, 2),
        (1, 1),
        (4, 1),
        (14, 1),
    ]


def test_a_rounding_error_moves_nothing_over_an_edge() -> None:
    confidence = np.array([0.6 - 1e-16, 0.6, 0.6 + 1e-15])
    assert [bin_.n for bin_ in reliability_bins(confidence, np.ones(3, bool))] == [3]


def test_the_error_is_the_weighted_distance_of_guo() -> None:
    generator = np.random.default_rng(0)
    confidence, right = generator.random(500), generator.random(500) < 0.4
    expected = 0.0
    for m in range(1, 16):
        inside = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        gap = abs(right[inside].mean() - confidence[inside].mean())
        expected += inside.sum() / 500 * gap
    assert expected_calibration_error(reliability_bins(confidence, right)) == pytest.approx(
        expected
    )
