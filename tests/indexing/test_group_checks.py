import pytest

from headstart.indexing.group_checks import check_drawn, within_one_split
from headstart.indexing.labelling import Meaning
from headstart.indexing.splits import SplitRule, assign


def test_a_group_in_two_given_splits_is_a_problem_of_each_of_its_files() -> None:
    known = {
        "i1": Meaning(("a",), "train"),
        "i2": Meaning(("a",), "valid"),
        "i3": Meaning(("b",), "test"),
        "i4": Meaning(("b",), "valid"),
    }
    group = {"i1": "p", "i2": "p", "i3": "p", "i4": "q"}
    copies = {"i1": ["1", "1 again"], "i2": ["2"], "i3": ["3"], "i4": ["4"]}
    kept, problems = within_one_split(known, group, copies)
    assert kept == {"i4": known["i4"]}
    assert problems == [
        ("1", "two_splits", "its group p is in test and valid too"),
        ("1 again", "two_splits", "its group p is in test and valid too"),
        ("2", "two_splits", "its group p is in test and train too"),
        ("3", "two_splits", "its group p is in train and valid too"),
    ]


def test_pictures_whose_split_is_yet_to_be_drawn_are_told_as_such() -> None:
    known = {"i1": Meaning(("a",), None), "i2": Meaning(("a",), "test")}
    _, problems = within_one_split(known, {"i1": "p", "i2": "p"}, {"i1": ["1"], "i2": ["2"]})
    assert [problem.detail for problem in problems] == [
        "its group p is in test too",
        "its group p is in the pictures to be split too",
    ]


def notes(sizes: dict[str, str], rule: SplitRule) -> list[str]:
    """The notes on a drawn split; `sizes`: the labels of the pictures of each group, a letter each."""
    known = {
        f"{group}{n:03}": Meaning((label,), None)
        for group, labels in sizes.items()
        for n, label in enumerate(labels)
    }
    group = {picture: picture[0] for picture in known}
    return list(check_drawn(assign(known, 0, rule, group), group, rule))


def test_a_split_without_a_group_is_told_with_the_numbers() -> None:
    [note] = notes({"p": "ab" * 20, "q": "ab" * 30, "r": "ab" * 30}, SplitRule(0.1, 0.0, 0))
    assert note == (
        "Nothing is in valid, because no group is cut: 3 groups, the largest holds 38 % of the "
        "pictures."
    )


def test_a_class_without_a_group_in_valid_is_told() -> None:
    sizes = dict.fromkeys("pqrstuvw", "aaaa") | {"x": "b" * 10}
    [note] = notes(sizes, SplitRule(0.25, 0.0, 0))
    assert note == (
        "No picture of b (1 group) is in valid, because no group is cut: 9 groups, the largest "
        "holds 24 % of the pictures."
    )


def test_many_absent_classes_are_cut_short() -> None:
    sizes = {name: name * 5 for name in "abcdefghij"}
    [note] = notes(sizes | {"x": "kl" * 10, "y": "kl" * 20, "z": "kl" * 20}, SplitRule(0.2, 0.0, 0))
    assert "e (1 group) and 5 more is in valid" in note


def test_a_class_that_rounds_to_nothing_is_not_blamed_on_groups() -> None:
    sizes = dict.fromkeys("pqrstuvwxy", "aaaaa") | {"z": "b"}
    assert notes(sizes, SplitRule(0.2, 0.2, 0)) == []


def test_fewer_groups_than_folds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"n_folds is 4, .* in only 3 groups, and each fold needs"):
        notes({"p": "ab", "q": "ab", "r": "ab"}, SplitRule(0.0, 0.0, 0, 4))
    assert notes({"p": "ab", "q": "ab", "r": "ab"}, SplitRule(0.0, 0.0, 0, 3)) == []
