"""Which gain is beyond noise; the formula against plain ones."""

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.network.objective import Scores
from headstart.sweeping.comparison import Gain, Repeats, gain
from headstart.sweeping.study import Trial

N = 50
ALONE = [str(i) for i in range(N)]
Floats = NDArray[np.float64]


def repeats(log_losses: Floats) -> Repeats:
    """(S, N); the score of a picture is 1 where its loss is below 0.5."""
    right = (log_losses < 0.5).astype(float)
    scores = [
        Scores(float(of.mean()), float(r.mean()), of, r)
        for of, r in zip(log_losses, right, strict=True)
    ]
    return Repeats(Trial(1, {}, 0.0, 0.0, 1.0), scores)


def draws(seed: int, shift: float = 0.0) -> Floats:
    """Three seeds of the same pictures, with a little noise."""
    pictures = np.random.default_rng(0).uniform(0, 1, N)
    return pictures + np.random.default_rng(seed).normal(0, 0.02, (3, N)) + shift


def test_the_interval_is_that_of_the_pictures_and_of_the_seeds() -> None:
    present, best = draws(1), draws(2, -0.1)
    found = gain(repeats(best), repeats(present), "log_loss", ALONE, 1)
    differences = (present - best).mean(axis=0)
    of_seeds = (present.mean(axis=1).var(ddof=1) + best.mean(axis=1).var(ddof=1)) / 3
    expected = (differences.var(ddof=1) / N + of_seeds) ** 0.5
    assert found.mean == pytest.approx(differences.mean())
    assert found.half == pytest.approx(NormalDist().inv_cdf(0.975) * expected)
    assert found.beyond_noise


def test_the_choice_among_several_widens_it() -> None:
    one, five = (gain(repeats(draws(2)), repeats(draws(1)), "log_loss", ALONE, n) for n in (1, 5))
    assert five.half / one.half == pytest.approx(
        NormalDist().inv_cdf(0.995) / NormalDist().inv_cdf(0.975)
    )


def test_pictures_of_one_group_count_as_one() -> None:
    doubled = [np.repeat(of, 2, axis=1) for of in (draws(2, -0.1), draws(1))]
    pairs = [str(i // 2) for i in range(2 * N)]
    once = gain(repeats(draws(2, -0.1)), repeats(draws(1)), "log_loss", ALONE, 1)
    twice = gain(repeats(doubled[0]), repeats(doubled[1]), "log_loss", pairs, 1)
    assert twice.half == pytest.approx(once.half) and twice.mean == pytest.approx(once.mean)


def test_a_higher_score_is_a_gain() -> None:
    present, best = draws(1), draws(2, -0.1)
    found = gain(repeats(best), repeats(present), "score", ALONE, 1)
    assert found.mean == pytest.approx((best < 0.5).mean() - (present < 0.5).mean())
    assert repeats(best).loss("score") < repeats(present).loss("score")


def test_the_interval_holds_no_gain_as_often_as_it_says() -> None:
    """Params of equal worth: 19 of 20 intervals hold 0; each pair of sets has its own pictures."""
    draw, held = np.random.default_rng(5), 0
    for _ in range(400):
        of_pictures = draw.normal(0, 0.3, (2, 1, N))  # how each suits the pictures
        present, best = of_pictures + draw.normal(0, 0.1, (2, 3, N))
        held += abs(
            (found := gain(repeats(best), repeats(present), "log_loss", ALONE, 1)).mean
        ) <= (found.half)
    assert 0.92 <= held / 400 <= 0.99


@pytest.mark.parametrize(("mean", "beyond"), [(0.3, True), (0.1, False), (-0.3, False)])
def test_only_a_gain_is_beyond_noise(mean: float, beyond: bool) -> None:
    assert Gain(mean, 0.2).beyond_noise is beyond
