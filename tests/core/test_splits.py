from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.core.labelling import Meaning
from headstart.core.splits import assign, limited, strata, stratified_split

NAMES = [f"{i:032x}" for i in range(100)]


def test_fractions_hold_in_every_stratum() -> None:
    split = stratified_split(dict.fromkeys(NAMES[:50], "a") | dict.fromkeys(NAMES[50:60], "b"),
                             valid_frac=0.2, test_frac=0.1, seed=0)  # fmt: skip
    assert Counter(split[i] for i in NAMES[:50]) == {"train": 35, "valid": 10, "test": 5}
    assert Counter(split[i] for i in NAMES[50:60]) == {"train": 7, "valid": 2, "test": 1}


@given(st.integers(1, 30), st.floats(0, 0.99), st.floats(0, 0.99), st.integers(0, 5), st.randoms())
def test_each_class_keeps_one_in_train_whatever_the_order(
    n: int, valid_frac: float, test_frac: float, seed: int, random: object
) -> None:
    ids = NAMES[:n]
    split = stratified_split(dict.fromkeys(ids, "a"), valid_frac, test_frac, seed)
    random.shuffle(ids)  # type: ignore[attr-defined]
    assert split == stratified_split(dict.fromkeys(ids, "a"), valid_frac, test_frac, seed)
    assert set(split) == set(ids)
    assert "train" in split.values()


def test_a_picture_more_moves_at_most_one_at_each_cut() -> None:
    before = stratified_split(dict.fromkeys(NAMES[:99], "a"), 0.2, 0.2, 0)
    after = stratified_split(dict.fromkeys(NAMES, "a"), 0.2, 0.2, 0)
    assert sum(before[i] != after[i] for i in before) <= 2


def test_another_seed_is_another_draw() -> None:
    all_a = dict.fromkeys(NAMES, "a")
    assert stratified_split(all_a, 0.2, 0, 0) != stratified_split(all_a, 0.2, 0, 1)


def test_no_fraction_no_split() -> None:
    assert set(stratified_split(dict.fromkeys(NAMES, "a"), 0.2, 0, 0).values()) == {
        "train",
        "valid",
    }


def test_the_stratum_is_the_rarest_label() -> None:
    labels = {
        "1": ["clear", "mine"],
        "2": ["clear"],
        "3": ["clear", "road"],
        "4": ["road"],
        "5": [],
    }
    assert strata(labels) == {"1": "mine", "2": "clear", "3": "road", "4": "road", "5": ""}


def test_limited_takes_the_lowest_ids_of_each_stratum() -> None:
    of = {"d": "x", "b": "x", "a": "y", "c": "x"}
    assert limited(of, 2) == {"a", "b", "c"}
    assert limited(of, 0) == set(of)


@pytest.mark.parametrize("n_max", [0, 3])
def test_assign_keeps_given_splits_and_limits_each(n_max: int) -> None:
    known = {i: Meaning(("a",), "valid" if n < 50 else None) for n, i in enumerate(NAMES)}
    split = Counter(said.split for said in assign(known, n_max, 0.0, 0.0, 0).values())
    assert split == ({"valid": 3, "train": 3} if n_max else {"valid": 50, "train": 50})
