import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.training.schedules import (
    Step,
    clr,
    constant,
    cycle_epochs,
    exponential_range,
    one_cycle,
    opposed,
    sgdr,
)


@pytest.mark.parametrize(
    ("cycles", "length", "mult", "epochs"),
    [(3, 1, 2, [1, 2, 4]), (3, 1, 1, [1, 1, 1]), (1, 2, 1, [2]), (2, 3, 3, [3, 9])],
)
def test_cycle_lengths_of_the_course(
    cycles: int, length: int, mult: int, epochs: list[int]
) -> None:
    assert cycle_epochs(cycles, length, mult) == epochs


def test_sgdr_has_the_published_factors_for_360_batches_a_cycle() -> None:
    factors = sgdr([1, 2], n_batches=360, warmup_frac=1 / 20)
    assert factors[:18] == [0.01] * 18
    assert factors[18] == pytest.approx(0.99384, abs=5e-6)
    assert factors[359] == pytest.approx(1.9e-5, rel=0.02)
    assert factors[360] == 1.0
    assert factors[360 + 360] == pytest.approx(0.5)
    assert len(factors) == 3 * 360


@given(
    cycles=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    n_batches=st.integers(1, 50),
    warmup=st.floats(0, 0.5),
)
def test_sgdr_restarts_at_1_falls_within_a_cycle_and_stays_above_0(
    cycles: list[int], n_batches: int, warmup: float
) -> None:
    factors = sgdr(cycles, n_batches, warmup)
    assert len(factors) == n_batches * sum(cycles)
    assert all(0 < factor <= 1 for factor in factors)
    start = 0
    for number, epochs in enumerate(cycles):
        n = epochs * n_batches
        cosine = [(1 + math.cos(math.pi * k / n)) / 2 for k in range(n)]
        n_warmup = sum(f == 0.01 for f in factors[start : start + n]) if number == 0 else 0
        assert factors[start + n_warmup : start + n] == cosine[n_warmup:]
        assert number == 0 or factors[start] == 1
        start += n


def test_constant_and_range() -> None:
    assert constant(3) == [Step(1.0)] * 3
    lrs = exponential_range(1e-5, 10.0, 360)
    assert lrs[0] == 1e-5
    assert lrs[180] == pytest.approx(1e-2)
    assert all(b / a == pytest.approx(1e6 ** (1 / 360)) for a, b in pairwise(lrs))
    assert exponential_range(1e-5, 10.0, 0) == []


def test_clr_is_a_slanted_triangle_a_cycle() -> None:
    factors = clr([1, 2], n_batches=40, lr_div=20, rise_frac=0.1)
    assert len(factors) == 120
    assert factors[0] == factors[40] == pytest.approx(1 / 20)
    assert factors[4] == factors[48] == max(factors) == 1.0  # a tenth of 40, and of 80
    assert factors[2] == pytest.approx((1 + 1 / 20) / 2)
    assert factors[22] == pytest.approx((1 + 1 / 20) / 2)  # halfway down of 4 .. 40


def test_one_cycle_rises_falls_and_has_a_low_tail() -> None:
    factors = one_cycle([10], n_batches=10, lr_div=10, tail_frac=0.2)
    assert factors[0] == pytest.approx(0.1) and factors[40] == 1.0
    assert factors[80] == pytest.approx((1 - 0.99 / 20) / 10)
    assert factors[99] == pytest.approx(0.1 / 100)
    assert factors[20] == pytest.approx(factors[60]) == pytest.approx(0.55)
    assert factors[41:] == sorted(factors[41:], reverse=True)


@given(
    cycles=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    n_batches=st.integers(1, 50),
    lr_div=st.floats(1, 100),
    part=st.floats(0.01, 0.9),
)
def test_triangles_have_a_factor_a_step_between_their_bounds(
    cycles: list[int], n_batches: int, lr_div: float, part: float
) -> None:
    for factors, lowest in (
        (clr(cycles, n_batches, lr_div, part), 1 / lr_div),
        (one_cycle(cycles, n_batches, lr_div, part), 1 / (100 * lr_div)),
    ):
        assert len(factors) == n_batches * sum(cycles)
        assert all(lowest * 0.999 <= factor <= 1.001 for factor in factors)


def test_momentum_is_low_where_the_rate_is_high() -> None:
    steps = opposed([0.1, 0.55, 1.0, 0.001], lr_div=10, high=0.95, low=0.85)
    assert [step.lr for step in steps] == [0.1, 0.55, 1.0, 0.001]
    assert [step.momentum for step in steps] == pytest.approx([0.95, 0.90, 0.85, 0.95])
    assert opposed([1.0], lr_div=1, high=0.9, low=0.8) == [Step(1.0, 0.9)]
