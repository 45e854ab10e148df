"""Splits of groups: stratified_split and place_groups together."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from headstart.indexing.splits import SplitRule, stratified_split

NAMES = [f"{i:032x}" for i in range(5000)]
RULES = [
    SplitRule(0.2, 0.2, 0),
    SplitRule(0.3, 0.0, 1),
    *(SplitRule(0.0, 0.2, 2, n_folds=3, fold=fold) for fold in range(3)),
]

Labels = dict[str, list[str]]
Groups = dict[str, str]


@st.composite
def pictures(draw: st.DrawFn, n_least: int = 0, n_most: int = 3) -> tuple[Labels, Groups]:
    """Labels and groups of up to 60 pictures."""
    some_labels = st.lists(
        st.sampled_from("abcdef"), unique=True, min_size=n_least, max_size=n_most
    )
    rows = draw(st.lists(st.tuples(some_labels, st.integers(0, 20)), min_size=1, max_size=60))
    ids = NAMES[: len(rows)]
    labels = {i: of for i, (of, _) in zip(ids, rows, strict=True)}
    return labels, {i: f"p{group}" for i, (_, group) in zip(ids, rows, strict=True)}


@settings(deadline=None)
@given(pictures(), st.sampled_from(RULES))
def test_no_group_is_in_two_splits_and_every_label_is_in_train(
    drawn: tuple[Labels, Groups], rule: SplitRule
) -> None:
    labels, group = drawn
    split = stratified_split(labels, rule, group)
    assert set(split) == set(labels)
    assert len({(group[i], split[i]) for i in labels}) == len(set(group.values()))
    in_train = {name for i, of in labels.items() if split[i] == "train" for name in of}
    assert in_train == {name for of in labels.values() for name in of}


@settings(deadline=None)
@given(pictures(), st.sampled_from(RULES), st.randoms())
def test_neither_the_order_nor_the_names_of_groups_matter(
    drawn: tuple[Labels, Groups], rule: SplitRule, random: Any
) -> None:
    labels, group = drawn
    shuffled = list(labels)
    random.shuffle(shuffled)
    renamed = {i: f"patient {99 - int(name[1:])}" for i, name in group.items()}
    again = stratified_split({i: labels[i] for i in shuffled}, rule, renamed)
    assert again == stratified_split(labels, rule, group)


@settings(deadline=None)
@given(pictures(n_least=1, n_most=1))
def test_each_picture_outside_test_is_in_valid_once_unless_train_would_lose_a_label(
    drawn: tuple[Labels, Groups],
) -> None:
    labels, group = drawn
    n_groups_of = Counter(label for label, _ in {(labels[i][0], group[i]) for i in labels})
    in_valid: Counter[str] = Counter()
    for fold in range(3):
        split = stratified_split(labels, SplitRule(0.0, 0.0, 0, 3, fold), group)
        in_valid.update(i for i, where in split.items() if where == "valid")
    assert set(in_valid.values()) <= {1}
    lone = {group[i] for i in labels if n_groups_of[labels[i][0]] == 1}
    assert not {i for i in in_valid if group[i] in lone}


@settings(deadline=None)
@given(pictures(n_least=1, n_most=1), st.sampled_from([0.2, 0.5]))
def test_test_is_the_same_in_all_folds(drawn: tuple[Labels, Groups], test_frac: float) -> None:
    labels, group = drawn
    rules = [SplitRule(0.0, test_frac, 0, 3, fold) for fold in range(3)]
    splits = [stratified_split(labels, rule, group) for rule in rules]
    in_test = {tuple(i for i in labels if split[i] == "test") for split in splits}
    assert len(in_test) == 1


def of_one_label(n_groups: int, size: int) -> tuple[Labels, Groups]:
    ids = NAMES[: n_groups * size]
    return {i: ["a"] for i in ids}, {i: f"p{n // size}" for n, i in enumerate(ids)}


@pytest.mark.parametrize(("size", "n_folds"), [(2, 0), (7, 0), (2, 5), (7, 5)])
def test_equal_groups_are_counted_like_pictures(size: int, n_folds: int) -> None:
    labels, group = of_one_label(50, size)
    n = Counter(stratified_split(labels, SplitRule(0.2, 0.1, 0, n_folds), group).values())
    expected = (
        {"test": 5, "valid": 9, "train": 36} if n_folds else {"test": 5, "valid": 10, "train": 35}
    )
    assert n == {split: size * n_groups for split, n_groups in expected.items()}


def test_single_pictures_make_up_for_what_groups_leave_uneven() -> None:
    labels, group = of_one_label(4, 30)
    labels |= {i: ["a"] for i in NAMES[500:580]}
    group |= {i: i for i in NAMES[500:580]}
    n = Counter(stratified_split(labels, SplitRule(0.2, 0.2, 0), group).values())
    assert n == {"train": 120, "valid": 40, "test": 40}


def test_classes_whose_groups_are_too_big_for_each_alone_still_fill_valid() -> None:
    """10 classes of 4 groups: one group is 25 % of its class, and 10 % are wanted."""
    labels, group = of_one_label(40, 25)
    labels = {i: [f"class {n // 100}"] for n, i in enumerate(labels)}
    n = Counter(stratified_split(labels, SplitRule(0.1, 0.0, 0), group).values())
    assert 75 <= n["valid"] <= 125


def test_a_label_of_one_group_stays_in_train_and_valid_keeps_its_size() -> None:
    labels, group = of_one_label(40, 10)
    labels = {i: [group[i]] if n < 200 else ["a"] for n, i in enumerate(labels)}
    n = Counter(stratified_split(labels, SplitRule(0.2, 0.0, 0), group).values())
    assert 60 <= n["valid"] <= 100


def random_data(seed: int, n_groups: int, one_class: bool) -> tuple[list[int], list[int]]:
    """Classes and groups of pictures: 5 classes, the first 5 times the last, groups of 2 to 60."""
    draw = np.random.default_rng(seed)
    weights = 1 / np.arange(1, 6)
    weights /= weights.sum()
    classes: list[int] = []
    groups: list[int] = []
    for number in range(n_groups):
        n = min(int(draw.geometric(0.12)) + 1, 60)
        own = np.eye(5)[draw.choice(5, p=weights)] if one_class else draw.dirichlet(3 * weights)
        classes += draw.choice(5, size=n, p=own).tolist()
        groups += [number] * n
    return classes, groups


def deviation(classes: Sequence[int], folds: Sequence[Sequence[int]]) -> float:
    """The mean difference between a fold's part of a class, or of all pictures, and 1/5."""
    n = Counter(classes)
    parts = [len(fold) / len(classes) for fold in folds]
    for fold in folds:
        in_fold = Counter(classes[row] for row in fold)
        parts += [in_fold[name] / n[name] for name in n]
    return float(np.mean([abs(part - 0.2) for part in parts]))


@pytest.mark.parametrize("one_class", [False, True])
@pytest.mark.parametrize(("n_groups", "most"), [(40, 0.03), (200, 0.012)])
def test_folds_are_about_as_even_as_those_of_scikit_learn(
    n_groups: int, most: float, one_class: bool
) -> None:
    """`most` is how much further from 1/5 of each class our folds may be, on average."""
    ours, theirs = [], []
    for seed in range(4):
        classes, groups = random_data(seed, n_groups, one_class)
        labels = {NAMES[row]: [str(name)] for row, name in enumerate(classes)}
        group = {NAMES[row]: str(number) for row, number in enumerate(groups)}
        folds = []
        for fold in range(5):
            split = stratified_split(labels, SplitRule(0.0, 0.0, seed, 5, fold), group)
            folds.append([row for row in range(len(classes)) if split[NAMES[row]] == "valid"])
        ours.append(deviation(classes, folds))
        with warnings.catch_warnings(action="ignore"):  # a class of fewer groups than folds
            drawn = StratifiedGroupKFold(5).split(classes, classes, groups)
            theirs.append(deviation(classes, [list(valid) for _, valid in drawn]))
    assert np.mean(ours) < np.mean(theirs) + most


def moved(before: Mapping[str, str], after: Mapping[str, str], group: Groups, added: str) -> int:
    """How many groups beside `added` went to another split."""
    of: defaultdict[str, set[bool]] = defaultdict(set)
    for i, split in before.items():
        of[group[i]].add(split != after[i])
    return sum(True in changed for name, changed in of.items() if name != added)


@pytest.mark.parametrize("n_folds", [0, 5])
@pytest.mark.parametrize("what", ["group", "picture"])
def test_one_more_moves_few_other_groups(what: str, n_folds: int) -> None:
    """Of 200 groups: a greedy choice of the best place for each would move a third of them."""
    n_moved = []
    for seed in range(5):
        classes, groups = random_data(seed, 200, one_class=False)
        labels = {NAMES[row]: [str(name)] for row, name in enumerate(classes)}
        group = {NAMES[row]: str(number) for row, number in enumerate(groups)}
        left_out = [i for i in labels if group[i] == "7"][: None if what == "group" else 1]
        rule = SplitRule(0.2, 0.2, seed, n_folds)
        before = stratified_split({i: labels[i] for i in labels if i not in left_out}, rule, group)
        n_moved.append(moved(before, stratified_split(labels, rule, group), group, "7"))
    assert np.mean(n_moved) <= 12
    assert max(n_moved) <= 30
