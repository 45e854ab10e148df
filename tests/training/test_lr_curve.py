import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headstart.training.lr_curve import (
    RULES,
    LrCurve,
    RangeTestParams,
    Rule,
    diverged,
    longest_fall,
    smooth,
    suggest,
)

N = 100
# (seed of a curve, place of the rate) by fastai 2.8.12's own `valley`.
FASTAI = [
    (0, 29),
    (1, 20),
    (2, 32),
    (3, 32),
    (4, 29),
    (5, 25),
    (6, 34),
    (7, 26),
    (8, 31),
    (9, 30),
    (10, 23),
    (11, 23),
]


def curve(losses: list[float], smoothing: float = 0.9) -> LrCurve:
    lrs = [1e-5 * 1e6 ** (i / len(losses)) for i in range(len(losses))]
    return LrCurve(lrs, losses, smooth(losses, smoothing), smoothing)


def falling(noise: float) -> list[float]:
    """2 until 1e-3, down to 0.5 at 1e-1, up to 4 at 10, with noise."""
    x = np.linspace(-5, 1, N)
    loss = np.interp(x, [-5, -3, -1, 1], [2.0, 2.0, 0.5, 4.0])
    return list(map(float, loss + noise * np.random.default_rng(0).normal(size=N)))


def test_smoothing_is_debiased() -> None:
    assert smooth([3.0, 3.0, 3.0], 0.98) == pytest.approx([3.0, 3.0, 3.0])
    assert smooth([1.0, 2.0], 0.5) == pytest.approx([1.0, (0.5 * 0.5 * 1 + 0.5 * 2) / 0.75])


def test_stop_rule() -> None:
    flat = [1.0] * 20
    assert not diverged([*flat, 4.0])
    assert diverged([*flat, 4.001])
    assert diverged([*flat, math.nan])
    assert diverged([math.inf])
    # the first ten do not count as best, and cannot stop the test
    assert not diverged([0.1] * 10 + [1.0])
    assert not diverged([0.1, 5.0])


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("rule", list(RULES))
def test_a_clear_fall_gives_a_rate_inside_it(rule: Rule, noise: float) -> None:
    found = suggest(curve(falling(noise)), rule)
    assert found.lr is not None, found.reason
    assert 1e-3 < found.lr < 2e-1
    assert found.metrics() == {"suggested_lr": found.lr}


def test_rules_against_their_definition() -> None:
    x = np.log(np.logspace(-4, 0, 41))
    y = np.abs(x - x[30]) + 1  # a V with its minimum at point 30
    assert RULES["tenth_of_minimum"](x, y) == pytest.approx(x[30] - math.log(10))
    assert RULES["valley"](x, y) == pytest.approx(x[14])
    assert RULES["two_thirds_of_valley"](x, y) == pytest.approx(x[20])
    assert RULES["two_thirds_of_fall"](x, y) == pytest.approx(x[20])
    bend = np.where(np.arange(41) == 12, y - 0.5, y)  # the steepest step ends at point 12
    assert RULES["steepest"](x, bend) == pytest.approx(x[11])


# Long nearly flat, then a fall, then a rise: 100 rates from 1e-5 to 10.
BENT = np.interp(np.linspace(-5, 1, 100), [-5, -3, -1, 1], [1.0, 0.999, 0.2, 3.0])


@pytest.mark.parametrize(
    ("rule", "lr"),
    [
        ("valley", 0.00087),  # what fastai 2.8.12 gives
        ("two_thirds_of_valley", 0.00464),
        ("two_thirds_of_fall", 0.0215),
        ("tenth_of_minimum", 0.01),
    ],
)
def test_rules_differ_where_the_valley_begins_before_the_fall(rule: Rule, lr: float) -> None:
    found = RULES[rule](np.log(np.logspace(-5, 1, 100)), BENT)
    assert math.exp(found) == pytest.approx(lr, rel=0.005)


@pytest.mark.parametrize(("seed", "place"), FASTAI)
def test_valley_is_that_of_fastai(seed: int, place: int) -> None:
    rng = np.random.default_rng(seed)
    losses = np.asarray(np.cumsum(rng.normal(-0.1, 1, 40)).round(1), np.float64)  # bumps and ties
    assert RULES["valley"](np.arange(40.0), losses) == place


@given(st.lists(st.integers(0, 9), min_size=2, max_size=9))
def test_the_longest_fall_is_found(losses: list[int]) -> None:
    falls = [
        places
        for n in range(1, len(losses) + 1)
        for places in itertools.combinations(range(len(losses)), n)
        if all(losses[i] > losses[j] for i, j in itertools.pairwise(places))
    ]
    longest = max(map(len, falls))
    first_end = min(places[-1] for places in falls if len(places) == longest)
    assert longest_fall(np.array(losses, np.float64)) == (longest, first_end)


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_gives_no_suggestion(seed: int) -> None:
    noise = 1 + 0.3 * np.random.default_rng(seed).normal(size=N)
    for smoothing in (0.8, 0.9, 0.98):
        found = suggest(curve(noise.tolist(), smoothing), "valley")
        assert found.lr is None, seed
        assert "noise" in found.reason


def test_short_flat_and_skipped_curves_say_why() -> None:
    assert "10 are needed" in suggest(curve(falling(0)[:9]), "steepest").reason
    flat = suggest(curve([1.0] * N), "valley")
    assert flat.lr is None and flat.metrics() == {}
    assert "at least 0.05 are needed" in flat.reason
    assert "n_iter is 0" in suggest(LrCurve([], [], [], 0.9), "valley").reason


def test_a_loss_that_is_no_number_does_not_break_the_rules() -> None:
    losses = falling(0)
    losses[-1] = math.nan
    assert suggest(curve(losses), "steepest").lr is not None


def test_params_refuse_a_range_that_falls() -> None:
    values = {"n_iter": 5, "lr_start": 1.0, "lr_end": 0.1, "smoothing": 0.9, "rule": "valley"}
    with pytest.raises(ValidationError, match=r"lr_end is 0\.1, it must be above lr_start, 1\.0"):
        RangeTestParams.model_validate(values | {"seed": 0})
