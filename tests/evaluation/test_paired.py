"""Paired differences against McNemar's exact test, scipy, and their own coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headstart.evaluation.paired import difference_of_means, difference_of_shares
from headstart.scores.multi_label import Bools


def hits(n: int, n_gained: int, n_lost: int) -> tuple[Bools, Bools]:
    """Two networks' hits on n pictures that differ in n_gained + n_lost of them."""
    before, after = np.ones(n, bool), np.ones(n, bool)
    before[:n_gained], after[n_gained : n_gained + n_lost] = False, False
    return before, after


def test_the_formula_of_bonett_and_price_by_hand() -> None:
    # 5 gained and 0 lost of 100: 6 / 102 less 1 / 102, ± 1.96 · √(7 − 25 / 102) / 102.
    found = difference_of_shares(*hits(100, 5, 0), 0.95)
    half = 1.959964 * (7 - 25 / 102) ** 0.5 / 102
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.05, 5 / 102 - half, 5 / 102 + half), abs=1e-6
    )


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 2000))
def test_shares_hold_their_value_and_mirror_when_swapped(gained: int, lost: int, same: int) -> None:
    before, after = hits(gained + lost + same + 1, gained, lost)
    there, back = (
        difference_of_shares(before, after, 0.95),
        difference_of_shares(after, before, 0.95),
    )
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert there.value == pytest.approx(after.mean() - before.mean())
    assert (back.value, back.low, back.high) == pytest.approx(
        (-there.value, -there.high, -there.low)
    )


@pytest.mark.parametrize(
    ("gained", "lost", "noise"),
    [(0, 0, True), (1, 0, True), (5, 0, True), (6, 0, False), (3, 9, True), (2, 14, False)],
)
def test_noise_is_what_the_exact_test_of_mcnemar_calls_so(
    gained: int, lost: int, noise: bool
) -> None:
    p = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert bool(p > 0.05) is noise
    found = difference_of_shares(*hits(200, gained, lost), 0.95)
    assert found.within_noise is noise


def test_networks_that_agree_on_every_picture_still_have_an_interval_with_width() -> None:
    few, many = (difference_of_shares(*hits(n, 0, 0), 0.95) for n in (50, 5000))
    assert few.low < many.low < 0 < many.high < few.high


def test_the_interval_of_shares_covers_the_truth_as_often_as_it_says() -> None:
    draws = np.random.default_rng(1).multinomial(200, [0.03, 0.01, 0.96], size=1500)
    intervals = [difference_of_shares(*hits(200, g, lost), 0.95) for g, lost, _ in draws.tolist()]
    covered = np.mean([found.low <= 0.02 <= found.high for found in intervals])
    assert 0.93 <= covered <= 0.985


def test_the_bootstrap_of_means_agrees_with_scipys_paired_one() -> None:
    rng = np.random.default_rng(2)
    before = rng.random(150)
    after = np.clip(before + rng.normal(0.02, 0.1, 150), 0, 1)
    found = difference_of_means(before, after, 20_000, 0.9, np.random.default_rng(3))
    theirs = stats.bootstrap(
        (before, after),
        lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis),
        paired=True,
        n_resamples=20_000,
        confidence_level=0.9,
        method="percentile",
        rng=4,
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=5e-4)
    assert found.value == pytest.approx(after.mean() - before.mean())


def test_pairing_makes_the_interval_narrower_than_that_of_either_score() -> None:
    rng = np.random.default_rng(5)
    before = rng.random(100)
    found = difference_of_means(before, before + 0.01, 500, 0.95, rng)
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))
    assert not found.within_noise


@pytest.mark.parametrize(("n", "noise"), [(1, True), (4, True), (5, False)])
def test_of_few_pictures_nothing_is_known(n: int, noise: bool) -> None:
    """Though each of them says the same, and so does every resample."""
    for sign in (1, -1):
        gains = sign * np.linspace(0.1, 0.2, n)
        found = difference_of_means(np.zeros(n), gains, 200, 0.95, np.random.default_rng(0))
        assert found.within_noise is noise
        assert found.value == pytest.approx(gains.mean())


@pytest.mark.parametrize(("gained", "same"), [(4, 0), (4, 1), (4, 2)])
def test_of_few_hits_that_differ_nothing_is_known(gained: int, same: int) -> None:
    before, after = hits(gained + same, gained, 0)
    assert difference_of_shares(before, after, 0.95).within_noise
    assert difference_of_shares(after, before, 0.95).within_noise
    assert not difference_of_shares(*hits(5 + same, 5, 0), 0.95).within_noise


def test_scores_of_other_pictures_or_of_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found \(3,\) and \(2,\)"):
        difference_of_shares(np.ones(3, bool), np.ones(2, bool), 0.95)
    with pytest.raises(ValueError, match=r"found \(0,\) and \(0,\)"):
        difference_of_means(np.ones(0), np.ones(0), 100, 0.95, np.random.default_rng(0))
