"""Copies of the rare cases: how many, and that no picture is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.training.sampling import Sampler, SamplingParams, class_factors, picture_factors


def params(strength: float = 1.0, max_factor: float = 100.0) -> SamplingParams:
    return SamplingParams(balance="oversample", strength=strength, max_factor=max_factor)


def test_full_strength_makes_classes_equal() -> None:
    counts = np.array([30, 10, 3])
    assert class_factors(counts, params()) * counts == pytest.approx([30, 30, 30])


def test_half_strength_is_the_square_root_and_the_cap_holds() -> None:
    counts = np.array([100, 25, 1, 0])
    assert class_factors(counts, params(0.5)).tolist() == [1, 2, 10, 1]
    assert class_factors(counts, params(1.0, 5.0)).tolist() == [1, 4, 5, 1]
    assert class_factors(counts, params(0.0)).tolist() == [1, 1, 1, 1]


def test_a_picture_goes_by_the_rarest_of_its_labels() -> None:
    hot = np.array([[True, False, True], [True, False, False], [False, False, False]])
    assert picture_factors(hot, np.array([1.0, 2.0, 7.0])).tolist() == [7, 1, 1]


@given(
    st.lists(st.floats(1, 9, width=16), min_size=1, max_size=40),
    st.integers(0, 2**31),
)
def test_every_epoch_has_the_same_size_and_every_picture(factors: list[float], seed: int) -> None:
    sampler = Sampler(np.array(factors))
    drawn = sampler.epoch(np.random.default_rng(seed))
    counts = np.bincount(drawn.rows, minlength=len(factors))
    assert len(drawn.rows) == len(drawn.copies) == sampler.n
    assert (counts >= np.floor(factors)).all()
    assert (counts <= np.ceil(np.array(factors) + 1)).all()
    for row, count in enumerate(counts):
        assert drawn.copies[drawn.rows == row].tolist() == list(range(count))


def test_counts_are_right_on_average_and_differ_between_epochs() -> None:
    sampler = Sampler(np.array([1.0, 1.25, 2.5, 1.25]))
    counts = [
        np.bincount(sampler.epoch(np.random.default_rng(seed)).rows, minlength=4)
        for seed in range(4000)
    ]
    assert np.mean(counts, axis=0) == pytest.approx(sampler.factors, abs=0.03)
    assert len({tuple(of_one) for of_one in counts}) > 1


def test_without_copies_all_is_as_it_was() -> None:
    drawn = Sampler(np.ones(5)).epoch(np.random.default_rng(0))
    assert drawn.rows.tolist() == [0, 1, 2, 3, 4] and not drawn.copies.any()
