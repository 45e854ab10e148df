import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headstart.indexing import splits
from headstart.indexing.labelling import Meaning
from headstart.indexing.splits import SplitRule, assign, limited, strata

NAMES = [f"{i:032x}" for i in range(100)]


def stratified_split(labels: Mapping[str, Sequence[str]], rule: SplitRule) -> dict[str, str]:
    """Each picture is its own group."""
    return splits.stratified_split(labels, rule, {picture: picture for picture in labels})


def test_fractions_hold_in_every_stratum() -> None:
    labels = dict.fromkeys(NAMES[:50], "a") | dict.fromkeys(NAMES[50:60], "b")
    split = stratified_split(labels, SplitRule(valid_frac=0.2, test_frac=0.1, seed=0))
    assert Counter(split[i] for i in NAMES[:50]) == {"train": 35, "valid": 10, "test": 5}
    assert Counter(split[i] for i in NAMES[50:60]) == {"train": 7, "valid": 2, "test": 1}


@given(st.integers(1, 30), st.floats(0, 0.99), st.floats(0, 0.99), st.integers(0, 5), st.randoms())
def test_each_class_keeps_one_in_train_whatever_the_order(
    n: int, valid_frac: float, test_frac: float, seed: int, random: object
) -> None:
    ids = NAMES[:n]
    split = stratified_split(dict.fromkeys(ids, "a"), SplitRule(valid_frac, test_frac, seed))
    random.shuffle(ids)  # type: ignore[attr-defined]
    assert split == stratified_split(
        dict.fromkeys(ids, "a"), SplitRule(valid_frac, test_frac, seed)
    )
    assert set(split) == set(ids)
    assert "train" in split.values()


def test_a_picture_more_moves_at_most_one_at_each_cut() -> None:
    before = stratified_split(dict.fromkeys(NAMES[:99], "a"), SplitRule(0.2, 0.2, 0))
    after = stratified_split(dict.fromkeys(NAMES, "a"), SplitRule(0.2, 0.2, 0))
    assert sum(before[i] != after[i] for i in before) <= 2


def test_another_seed_is_another_draw() -> None:
    all_a = dict.fromkeys(NAMES, "a")
    assert stratified_split(all_a, SplitRule(0.2, 0, 0)) != stratified_split(
        all_a, SplitRule(0.2, 0, 1)
    )


def test_no_fraction_no_split() -> None:
    assert set(stratified_split(dict.fromkeys(NAMES, "a"), SplitRule(0.2, 0, 0)).values()) == {
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


@pytest.mark.parametrize("n_max", [0, 3])
def test_assign_keeps_given_splits_and_limits_each(n_max: int) -> None:
    known = {i: Meaning(("a",), "valid" if n < 50 else None) for n, i in enumerate(NAMES)}
    group = {i: i for i in known}
    drawn = assign(known, n_max, SplitRule(0.0, 0.0, 0), group)
    split = Counter(said.split for said in drawn.values())
    assert split == ({"valid": 3, "train": 3} if n_max else {"valid": 50, "train": 50})


LABEL_SETS = st.lists(
    st.lists(st.sampled_from("abcdefg"), unique=True, max_size=4), min_size=1, max_size=60
)


@given(LABEL_SETS, st.integers(0, 5), st.integers(0, 3))
def test_every_label_of_many_keeps_one_in_train(
    sets: list[list[str]], n_folds: int, seed: int
) -> None:
    n_folds = n_folds if n_folds > 1 else 0
    labels = dict(zip(NAMES, sets, strict=False))
    for fold in range(max(n_folds, 1)):
        split = stratified_split(labels, SplitRule(0.3, 0.3, seed, n_folds, fold))
        assert set(split) == set(labels)
        in_train = {name for i, of in labels.items() if split[i] == "train" for name in of}
        assert in_train == {name for of in labels.values() for name in of}


def test_fractions_hold_for_each_of_many_labels() -> None:
    labels = {i: ["common", *(["rare"] if n % 5 == 0 else [])] for n, i in enumerate(NAMES)}
    split = stratified_split(labels, SplitRule(0.2, 0.1, 0))
    for label, n in (("common", 100), ("rare", 20)):
        counts = Counter(split[i] for i, of in labels.items() if label in of)
        assert counts == {"train": 0.7 * n, "valid": 0.2 * n, "test": 0.1 * n}


def test_folds_share_out_what_is_not_test_and_each_class_evenly() -> None:
    labels = dict.fromkeys(NAMES[:60], ("a",)) | dict.fromkeys(NAMES[60:67], ("b",))
    labels |= {NAMES[67]: ("once",)}
    splits = [stratified_split(labels, SplitRule(0.5, 0.1, 3, 5, fold)) for fold in range(5)]
    test = {i for i, where in splits[0].items() if where == "test"}
    assert len(test) == 7
    assert all({i for i, w in split.items() if w == "test"} == test for split in splits)
    in_valid = Counter(i for split in splits for i, where in split.items() if where == "valid")
    assert in_valid == dict.fromkeys(labels.keys() - test - {NAMES[67]}, 1)
    for split in splits:
        n = Counter(labels[i][0] for i, where in split.items() if where == "valid")
        assert n["a"] in (10, 11) and n["b"] in (1, 2)


def test_a_picture_more_moves_few_between_folds() -> None:
    before, after = (
        stratified_split(dict.fromkeys(names, "a"), SplitRule(0.2, 0, 0, 5, 2))
        for names in (NAMES[:99], NAMES)
    )
    assert sum(before[i] != after[i] for i in before) <= 2


@pytest.mark.parametrize("name", ["{picture}", "patient {number}"])
def test_groups_of_one_picture_are_split_as_before_there_were_groups(name: str) -> None:
    """The digest is that of the function without groups (commit 2c9408b), of the same random data."""
    digest = hashlib.sha256()
    for case in range(200):
        draw = random.Random(case)
        ids = [f"{draw.getrandbits(128):032x}" for _ in range(draw.randint(1, 200))]
        n_most = draw.choice([1, 1, 3])
        n_least = 1 if n_most == 1 else 0
        drawn = {
            i: [draw.choice("aaabbcdefghij") for _ in range(draw.randint(n_least, n_most))]
            for i in ids
        }
        labels = {i: sorted(set(of)) for i, of in drawn.items()}
        n_folds = draw.choice([0, 0, 0, 2, 3, 5])
        fracs = draw.choice([(0.2, 0.2), (0.2, 0), (0.1, 0.3), (0.0, 0.0), (0.33, 0.1)])
        seed, fold = draw.randint(0, 5), draw.randint(0, n_folds - 1) if n_folds else 0
        group = {i: name.format(picture=i, number=number) for number, i in enumerate(labels)}
        split = splits.stratified_split(labels, SplitRule(*fracs, seed, n_folds, fold), group)
        digest.update(json.dumps(sorted(split.items())).encode())
    assert digest.hexdigest() == (
        "de44e7d7b367d095d597826080efa09d177349dc18ff5b613c0a14049f0ccd05"
    )


@given(LABEL_SETS, st.integers(2, 5), st.integers(0, 3))
@example([["a", "d", "g"], ["a"], ["d", "g"], []], 4, 2)
def test_test_is_the_same_in_all_folds(sets: list[list[str]], n_folds: int, seed: int) -> None:
    labels = dict(zip(NAMES, sets, strict=False))
    splits = [
        stratified_split(labels, SplitRule(0.0, 0.3, seed, n_folds, fold))
        for fold in range(n_folds)
    ]
    of_test = [{i for i, where in split.items() if where == "test"} for split in splits]
    assert all(test == of_test[0] for test in of_test)
