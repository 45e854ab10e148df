"""Wilson against scipy; the bootstraps against scipy, scikit-learn and themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score

from headstart.evaluation import intervals
from headstart.evaluation.intervals import (
    bootstrap_balanced_accuracy,
    bootstrap_macro_f1,
    bootstrap_map,
    bootstrap_mean,
    wilson,
)
from headstart.scores import metrics
from headstart.scores.metrics import Floats
from headstart.scores.multi_label import Bools


@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_equals_scipy(n: int, share: float, confidence: float) -> None:
    n_hits = round(share * n)
    expected = stats.binomtest(n_hits, n).proportion_ci(confidence, method="wilson")
    assert wilson(n_hits, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_a_mean_of_several_networks_lies_between_those_of_whole_hits() -> None:
    below, between, above = (wilson(n_hits, 200, 0.95) for n_hits in (192, 192 + 1 / 3, 193))
    assert below[0] < between[0] < above[0] < below[1] < between[1] < above[1]


def test_wilson_stays_in_the_unit_interval_and_is_never_empty() -> None:
    for n in range(1, 300):
        low, high = wilson(0, n, 0.95)
        assert low == 0 < high < 1
        low, high = wilson(n, n, 0.95)
        assert 0 < low < 1 == high


@pytest.mark.parametrize(("n_hits", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_of_no_proportion_is_refused(n_hits: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"found {n_hits} of {n}"):
        wilson(n_hits, n, 0.95)


def test_bootstrap_of_a_mean_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).exponential(size=150)
    ours = bootstrap_mean(values, 20_000, 0.9, np.random.default_rng(2))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, confidence_level=0.9, method="percentile", rng=3
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_bootstrap_of_macro_f1_agrees_with_resampled_pictures() -> None:
    rng = np.random.default_rng(4)
    targets = rng.integers(0, 3, 120)
    predicted = np.where(rng.random(120) < 0.7, targets, rng.integers(0, 3, 120))
    counts = metrics.confusion_matrix(predicted, targets, 3)
    low, high = bootstrap_macro_f1(counts, 4000, 0.95, np.random.default_rng(5))
    rows = rng.integers(0, 120, (4000, 120))
    resampled = [
        metrics.macro_f1(metrics.confusion_matrix(predicted[chosen], targets[chosen], 3))
        for chosen in rows
    ]
    expected = np.quantile(resampled, [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(expected), abs=0.01)
    assert low < metrics.macro_f1(counts) < high


def test_the_same_generator_gives_the_same_interval_and_another_another() -> None:
    def ends(seed: int) -> tuple[float, ...]:
        mean = bootstrap_mean(np.arange(30.0), 200, 0.95, np.random.default_rng(seed))
        counts = np.array([[20, 5], [6, 30]])
        return (*mean, *bootstrap_macro_f1(counts, 200, 0.95, np.random.default_rng(seed)))

    assert ends(0) == ends(0)
    assert not set(ends(0)) & set(ends(1))


def test_a_higher_confidence_is_wider() -> None:
    values = np.arange(30.0)
    narrow = bootstrap_mean(values, 500, 0.5, np.random.default_rng(0))
    wide = bootstrap_mean(values, 500, 0.95, np.random.default_rng(0))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_without_errors_macro_f1_is_certain() -> None:
    assert bootstrap_macro_f1(np.diag([5, 5]), 100, 0.95, np.random.default_rng(0)) == (1, 1)


def many_labels(n: int = 40) -> tuple[Floats, Bools]:
    """Probabilities with ties and truth (N, 5): labels that many, few, one and no picture has."""
    rng = np.random.default_rng(6)
    truth = rng.random((n, 5)) < [0.7, 0.3, 0.1, 0, 0]
    truth[3, 3] = True
    return (0.6 * rng.random((n, 5)) + 0.4 * truth).round(1), truth


def naive_map(probabilities: Floats, truth: Bools) -> float:
    occurring = np.flatnonzero(truth.any(axis=0))
    of_labels = [average_precision_score(truth[:, k], probabilities[:, k]) for k in occurring]
    return float(np.mean(of_labels))


def test_bootstrap_of_map_equals_a_loop_over_resampled_pictures() -> None:
    probabilities, truth = many_labels()
    rng = np.random.default_rng(7)
    rows = [rng.integers(40, size=40) for _ in range(300)]
    lacking = [not truth[chosen, 3].any() for chosen in rows]
    assert 0 < sum(lacking) < 300  # the label of one picture is in some resamples alone
    scores = [naive_map(probabilities[chosen], truth[chosen]) for chosen in rows]
    ours = bootstrap_map(probabilities, truth, 300, 0.9, np.random.default_rng(7))
    assert ours == pytest.approx(tuple(np.quantile(scores, [0.05, 0.95])))
    assert ours[0] < naive_map(probabilities, truth) < ours[1]


def test_how_many_resamples_are_held_at_once_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = bootstrap_map(*many_labels(), 100, 0.9, np.random.default_rng(8))
    for n_weights in (1, 7 * 40):
        monkeypatch.setattr(intervals, "N_WEIGHTS", n_weights)
        assert bootstrap_map(*many_labels(), 100, 0.9, np.random.default_rng(8)) == whole


def test_resamples_without_any_label_count_for_nothing() -> None:
    truth = np.array([[True], [False], [False]])
    probabilities = np.array([[0.9], [0.5], [0.1]])
    # wherever the one picture with the label is drawn, it is first
    assert bootstrap_map(probabilities, truth, 200, 0.95, np.random.default_rng(0)) == (1, 1)


def test_without_any_label_there_is_no_interval_of_map() -> None:
    with pytest.raises(ValueError, match="a picture with a label, found none in 2 pictures"):
        bootstrap_map(np.ones((2, 3)), np.zeros((2, 3), bool), 100, 0.9, np.random.default_rng(0))


def test_balanced_accuracy_is_resampled_as_pictures_are() -> None:
    counts = np.array([[30, 5, 0], [2, 6, 2], [0, 1, 3]])
    actual, predicted = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    rng, n = np.random.default_rng(1), len(actual)
    means = []
    for _ in range(4000):
        rows = rng.integers(n, size=n)
        right = actual[rows] == predicted[rows]
        means.append(np.mean([right[actual[rows] == k].mean() for k in np.unique(actual[rows])]))
    found = bootstrap_balanced_accuracy(counts, 4000, 0.9, np.random.default_rng(0))
    assert found == pytest.approx(np.quantile(means, [0.05, 0.95]), abs=0.015)
    assert found[0] < metrics.balanced_accuracy(counts) < found[1]
