"""Means of views against closed form."""

import numpy as np
import pytest

from headstart.evaluation.tta import Mean, mean_of_label_views, mean_of_views
from headstart.scores.metrics import Floats

MEANS: tuple[Mean, ...] = ("arithmetic", "geometric", "weighted")


@pytest.fixture
def views() -> Floats:
    """(1 + 2, 1, 2)"""
    return np.array([[[0.9, 0.1]], [[0.4, 0.6]], [[0.2, 0.8]]])


def test_arithmetic(views: Floats) -> None:
    assert mean_of_views(views, "arithmetic", 0.9)[0] == pytest.approx([0.5, 0.5])


def test_geometric_is_renormalised(views: Floats) -> None:
    powers = np.array([(0.9 * 0.4 * 0.2) ** (1 / 3), (0.1 * 0.6 * 0.8) ** (1 / 3)])
    expected = powers / powers.sum()
    assert mean_of_views(views, "geometric", 0.9)[0] == pytest.approx(expected)
    assert powers.sum() < 0.99


def test_weighted_gives_the_plain_view_its_weight_and_the_rest_to_the_others(views: Floats) -> None:
    expected = [0.4 * 0.9 + 0.6 * 0.3, 0.4 * 0.1 + 0.6 * 0.7]
    assert mean_of_views(views, "weighted", 0.4)[0] == pytest.approx(expected)
    assert (mean_of_views(views, "weighted", 1.0) == views[0]).all()
    assert mean_of_views(views, "weighted", 0.0) == pytest.approx(views[1:].mean(axis=0))


@pytest.mark.parametrize("mean", MEANS)
def test_without_augmented_views_it_is_the_plain_one(mean: Mean) -> None:
    plain = np.random.default_rng(0).dirichlet(np.ones(4), (1, 5))
    assert (mean_of_views(plain, mean, 0.3) == plain[0]).all()


@pytest.mark.parametrize("mean", MEANS)
def test_rows_sum_to_one_even_where_views_are_certain_of_different_classes(mean: Mean) -> None:
    views = np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    result = mean_of_views(views, mean, 0.5)
    assert result[0] == pytest.approx([0.5, 0.5, 0.0])


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 2)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must have the shape \(1 \+ V, N, K\)"):
        mean_of_views(np.ones(shape), "arithmetic", 0.5)


def test_labels_are_averaged_one_by_one() -> None:
    views = np.array([[[0.9, 0.5]], [[0.1, 0.5]]])
    for mean in MEANS:
        assert mean_of_label_views(views, mean, 0.5) == pytest.approx(np.array([[0.5, 0.5]]))
    uneven = mean_of_label_views(np.array([[[0.9]], [[0.5]]]), "geometric", 0.5)
    assert uneven[0, 0] == pytest.approx(0.45**0.5 / (0.45**0.5 + 0.05**0.5))
