"""Scores against scikit-learn and against closed form."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from headstart.scores import metrics
from headstart.scores.metrics import Floats, Ints


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Floats, Ints]:
    """Probabilities (N, K) and targets (N,); a class may occur in neither, one or both."""
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    occurring = rng.choice(k, size=rng.integers(1, k + 1), replace=False)
    return rng.dirichlet(np.full(k, 0.4), n), rng.choice(occurring, n).astype(np.int64)


@settings(deadline=None)
@given(predictions())
def test_scores_equal_those_of_scikit_learn(case: tuple[Floats, Ints]) -> None:
    probabilities, targets = case
    k = probabilities.shape[1]
    predicted = metrics.predicted_classes(probabilities)
    counts = metrics.confusion_matrix(predicted, targets, k)
    assert (counts == sk.confusion_matrix(targets, predicted, labels=range(k))).all()
    assert metrics.accuracy(counts) == pytest.approx(sk.accuracy_score(targets, predicted))
    f1 = sk.f1_score(targets, predicted, average="macro")
    assert metrics.macro_f1(counts) == pytest.approx(f1)
    present_alone = sk.recall_score(targets, predicted, labels=np.unique(targets), average=None)
    assert metrics.balanced_accuracy(counts) == pytest.approx(present_alone.mean())
    for n in range(1, k if k > 2 else 1):  # of two classes scikit-learn wants another shape
        top = sk.top_k_accuracy_score(targets, probabilities, k=n, labels=range(k))
        assert metrics.top_hits(probabilities, targets, n).mean() == pytest.approx(top)
    assert metrics.top_hits(probabilities, targets, k).all()
    loss = sk.log_loss(targets, probabilities, labels=range(k))
    assert metrics.log_loss(probabilities, targets) == pytest.approx(loss)
    present = np.unique(targets)
    recalls = sk.recall_score(targets, predicted, labels=present, average=None, zero_division=0)
    assert metrics.recalls(counts) == pytest.approx(dict(zip(present, recalls, strict=True)))


def test_rows_are_targets() -> None:
    counts = metrics.confusion_matrix(np.array([1, 1, 0]), np.array([0, 0, 2]), 3)
    assert counts.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]


def test_a_batch_of_another_size_counts_by_its_pictures() -> None:
    # RECIPE's B1: 3 right of 4 is 0.75, though the mean of the batches (3 of 3, 0 of 1) is 0.5.
    counts = metrics.confusion_matrix(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]), 2)
    assert metrics.accuracy(counts) == 0.75


def test_a_class_without_pictures_has_no_recall_and_costs_no_f1() -> None:
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert metrics.recalls(counts) == {0: 0.75, 1: 1.0}
    assert metrics.macro_f1(counts) == pytest.approx((6 / 7 + 8 / 9) / 2)


def test_a_class_that_is_only_predicted_counts_as_zero() -> None:
    counts = np.array([[3, 1], [0, 0]])
    assert metrics.recalls(counts) == {0: 0.75}
    assert metrics.macro_f1(counts) == pytest.approx((6 / 7 + 0) / 2)


def test_a_certain_error_has_a_finite_loss() -> None:
    loss = metrics.log_loss(np.array([[1.0, 0.0]]), np.array([1]))
    assert loss == pytest.approx(-math.log(metrics.SMALLEST))


def test_of_equal_probabilities_the_first_class_is_predicted() -> None:
    assert metrics.predicted_classes(np.array([[0.2, 0.4, 0.4]])).tolist() == [1]


def test_no_picture_has_no_score() -> None:
    nothing = np.zeros((2, 2), np.int64)
    for score in (metrics.accuracy, metrics.macro_f1):
        with pytest.raises(ValueError, match="at least one labelled picture"):
            score(nothing)
    with pytest.raises(ValueError, match="at least one labelled picture"):
        metrics.log_loss(np.zeros((0, 2)), np.zeros(0, np.int64))
