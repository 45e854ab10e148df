"""Scores of many labels a picture against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from headstart.scores import metrics, multi_label
from headstart.scores.metrics import Floats
from headstart.scores.multi_label import Bools


@st.composite
def cases(draw: st.DrawFn) -> tuple[Floats, Bools]:
    """Probabilities and truth (N, K); many ties, labels that nearly all or no pictures have."""
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = rng.random((n, k)) < rng.choice([0, 0.1, 0.5, 0.95], k)
    return rng.random((n, k)).round(draw(st.sampled_from([0, 1, 2, 9]))), truth


@settings(deadline=None)
@given(cases())
def test_scores_equal_those_of_scikit_learn(case: tuple[Floats, Bools]) -> None:
    probabilities, truth = case
    decided = probabilities >= 0.4
    f2 = sk.fbeta_score(truth, decided, beta=2, average="samples", zero_division=1)
    assert multi_label.f_beta(decided, truth).mean() == pytest.approx(f2)
    counts = multi_label.label_counts(decided, truth)
    table = sk.multilabel_confusion_matrix(truth, decided)  # (K, 2, 2)
    assert counts.hits.tolist() == table[:, 1, 1].tolist()
    assert counts.decided.tolist() == table[:, :, 1].sum(axis=1).tolist()
    assert counts.actual.tolist() == table[:, 1, :].sum(axis=1).tolist()
    losses = [
        sk.log_loss(truth[:, k], probabilities[:, k], labels=[False, True])
        for k in range(truth.shape[1])
    ]
    ours = multi_label.binary_cross_entropies(probabilities, truth)
    assert ours.shape == (len(truth),)
    assert ours.mean() == pytest.approx(np.mean(losses))


@settings(deadline=None)
@given(cases())
def test_average_precisions_equal_those_of_scikit_learn(case: tuple[Floats, Bools]) -> None:
    probabilities, truth = case
    expected = {
        k: sk.average_precision_score(truth[:, k], probabilities[:, k])
        for k in range(truth.shape[1])
        if truth[:, k].any()
    }
    assert multi_label.average_precisions(probabilities, truth) == pytest.approx(expected)
    if expected:
        mean = np.mean(list(expected.values()))
        assert multi_label.mean_average_precision(probabilities, truth) == pytest.approx(mean)


@settings(deadline=None)
@given(cases(), st.integers(0, 1000))
def test_a_weight_is_as_many_copies_of_a_picture(case: tuple[Floats, Bools], seed: int) -> None:
    probabilities, truth = case[0][:, 0], case[1][:, 0]
    if not truth.any():
        return
    weights = np.random.default_rng(seed).integers(0, 4, (len(truth), 3))
    ranking = multi_label.rank(probabilities, truth)
    ours = multi_label.weighted_average_precision(ranking, weights)
    for value, of_one in zip(ours, weights.T, strict=True):
        copies = np.repeat(np.arange(len(truth)), of_one)
        if truth[copies].any():
            expected = sk.average_precision_score(truth[copies], probabilities[copies])
            assert value == pytest.approx(expected)
        else:
            assert np.isnan(value)


def test_the_f2_of_each_picture_by_hand() -> None:
    truth = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0]], bool)
    decided = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]], bool)
    # 5·hits / (4·actual + decided); nothing true and nothing said is right, something said is not
    assert multi_label.f_beta(decided, truth) == pytest.approx([1, 0, 5 / 13, 1, 0])


def test_a_missed_label_costs_more_than_a_label_too_many() -> None:
    truth = np.array([[1, 1, 0, 0]], bool)
    missed, too_many = np.array([[1, 0, 0, 0]], bool), np.array([[1, 1, 1, 0]], bool)
    assert multi_label.f_beta(missed, truth)[0] < multi_label.f_beta(too_many, truth)[0]


def test_pictures_of_one_probability_are_one_step_in_whatever_order_they_come() -> None:
    probabilities = np.array([[0.5], [0.5], [0.5], [0.1]])
    for place in range(3):
        truth = np.zeros((4, 1), bool)
        truth[place] = True
        assert multi_label.average_precisions(probabilities, truth) == {0: pytest.approx(1 / 3)}


def test_a_label_that_occurs_once_counts_and_one_that_never_does_not() -> None:
    probabilities = np.array([[0.9, 0.2, 0.9], [0.8, 0.7, 0.1]])
    truth = np.array([[0, 1, 0], [1, 0, 0]], bool)
    assert multi_label.average_precisions(probabilities, truth) == {0: 0.5, 1: 0.5}
    assert multi_label.mean_average_precision(probabilities, truth) == 0.5


def test_a_certain_error_has_a_finite_loss() -> None:
    loss = multi_label.binary_cross_entropies(np.array([[1.0, 1.0]]), np.array([[False, True]]))
    assert loss == pytest.approx([-np.log(metrics.SMALLEST) / 2])


def test_without_any_label_there_is_no_map() -> None:
    with pytest.raises(ValueError, match="a picture with a label, found none in 3 pictures"):
        multi_label.mean_average_precision(np.full((3, 2), 0.5), np.zeros((3, 2), bool))
