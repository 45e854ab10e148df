"""ROC-AUC against scikit-learn, and the influences of the pictures against DeLong's formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from headstart.scores.roc import roc_areas


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(1, 3))
def test_the_areas_are_those_of_scikit_learn(seed: int, n_digits: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((40, 4)) < [0.1, 0.5, 0.9, 0.0]
    truth[0, :3], truth[1, :3] = True, False
    probabilities = (0.6 * rng.random((40, 4)) + 0.3 * truth).round(n_digits)  # some are equal
    found = roc_areas(probabilities, truth)
    assert found.classes.tolist() == [0, 1, 2]  # nobody has the last one
    assert found.n_with.tolist() == truth[:, :3].sum(axis=0).tolist()
    expected = roc_auc_score(truth[:, :3], probabilities[:, :3], average=None)
    assert found.areas == pytest.approx(expected)


def test_the_variance_is_that_of_delong() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((60, 1)) < 0.3
    p = 0.6 * rng.random((60, 1)) + 0.3 * truth
    found = roc_areas(p, truth)
    wins = (p[truth][:, None] > p[~truth]).astype(float)  # (with, without)
    of_delong = wins.mean(axis=1).var(ddof=1) / wins.shape[0]
    of_delong += wins.mean(axis=0).var(ddof=1) / wins.shape[1]
    assert (found.influences**2).sum() / 60**2 == pytest.approx(of_delong)


def test_without_a_class_that_tells_pictures_apart_there_is_no_area() -> None:
    for truth in (np.zeros((5, 2), bool), np.ones((5, 2), bool), np.zeros((0, 2), bool)):
        found = roc_areas(np.zeros(truth.shape), truth)
        assert found.areas.shape == (0,) and found.influences.shape == (len(truth), 0)
