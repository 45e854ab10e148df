"""Wilson against scipy; the bootstrap against scipy, against coverage and against itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headstart.core import metrics
from headstart.core.intervals import bootstrap_macro_f1, bootstrap_mean, wilson


@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_equals_scipy(n: int, share: float, confidence: float) -> None:
    n_hits = round(share * n)
    expected = stats.binomtest(n_hits, n).proportion_ci(confidence, method="wilson")
    assert wilson(n_hits, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


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
