"""index-images keeps groups, such as the pictures of one patient, in one split."""

import json
from collections import Counter
from typing import Any

import pytest

from headstart.indexing.index import Index, IndexImagesError
from tests.indexed import TABLE, Files, id_of, index, picture, table


@pytest.fixture
def of_patients() -> Files:
    """Twelve patients with two pictures of a class each, and two pictures of no patient."""
    files = {
        f"{'ab'[number % 2]}/p{number:02}/{i}.png": picture(10 * number + i)
        for number in range(12)
        for i in range(2)
    }
    return files | {"a/0.png": picture(500), "b/0.png": picture(501)}


def splits_of_groups(found: Index) -> dict[str, set[str]]:
    splits: dict[str, set[str]] = {}
    for group, split in zip(found.labels.table["group"], found.labels.table["split"], strict=True):
        splits.setdefault(group, set()).add(split)
    return splits


IN_FOLDERS: dict[str, Any] = {"split": "stratified", "group_regex": r"/(p\d+)/"}


@pytest.mark.parametrize("n_folds", [0, 3])
def test_groups_in_folders_stay_together(n_folds: int, of_patients: Files) -> None:
    found = index(of_patients, **IN_FOLDERS, n_folds=n_folds)
    splits = splits_of_groups(found)
    lone = {id_of(of_patients[path]) for path in ("a/0.png", "b/0.png")}
    assert set(splits) == {f"p{number:02}" for number in range(12)} | lone
    assert all(len(of_one) == 1 for of_one in splits.values())
    assert set.union(*splits.values()) == {"train", "valid", "test"}
    assert found.notes == ("2 of 26 labelled pictures are in no group: each is its own group.",)
    alone = splits_of_groups(index(of_patients, split="stratified"))
    assert len(alone) == 26


def test_groups_are_counted_where_there_are_some(of_patients: Files) -> None:
    of_patients["a/p02/2.png"] = picture(502)
    found = index(of_patients, **IN_FOLDERS)
    counts = found.counts()
    assert (counts["n_groups"], counts["n_in_largest_group"]) == (14, 3)
    by_split = Counter(split for of_one in splits_of_groups(found).values() for split in of_one)
    assert {split: of["n_groups"] for split, of in counts["splits"].items()} == by_split
    assert "group" not in json.dumps(index(of_patients, split="stratified").counts())


def test_groups_in_a_column_stay_together(with_table: Files) -> None:
    patients = [f"p{i // 4}" for i in range(20)]
    with_table["labels.csv"] = table(
        id=[str(i) for i in range(20)], label=["a", "b"] * 10, patient=patients
    )
    with_table |= {f"test/{i}.png": picture(40 + i) for i in range(3)}
    found = index(with_table, **TABLE, test_frac=0.0, group_column="patient")
    in_groups = {g: s for g, s in splits_of_groups(found).items() if g.startswith("p")}
    assert sorted(in_groups) == ["p0", "p1", "p2", "p3", "p4"]
    assert all(len(of_one) == 1 for of_one in in_groups.values())
    counts = found.counts()
    assert {split: (of["n"], of["n_groups"]) for split, of in counts["splits"].items()} == {
        "train": (16, 4), "valid": (4, 1), "test": (3, 0)
    }  # fmt: skip
    assert (counts["n_groups"], counts["n_in_largest_group"]) == (5, 4)
    assert not found.notes


def test_copies_in_two_groups_join_them(of_patients: Files) -> None:
    of_patients["a/p02/copy.png"] = of_patients["a/p00/0.png"]
    found = index(of_patients, **IN_FOLDERS)
    assert "p02" not in splits_of_groups(found)
    groups = found.labels.table["group"].value_counts()
    assert groups["p00"] == 4
    assert "2 groups were joined into 1, because they hold copies of one picture." in found.notes


def test_a_group_in_two_given_splits_is_a_problem(given: Files) -> None:
    given |= {"train/cats/p1-0.png": picture(70), "valid/cats/p1-1.png": picture(71)}
    given |= {"train/dogs/p2-0.png": picture(72), "test/p2-1.png": picture(73)}
    found = index(given, group_regex=r"p\d", on_problem="set_aside")
    assert found.problems.to_numpy().tolist() == [
        ["train/cats/p1-0.png", "two_splits", "its group p1 is in valid too"],
        ["valid/cats/p1-1.png", "two_splits", "its group p1 is in train too"],
    ]
    assert len(found.pictures) == 18
    assert found.notes[1].startswith("1 pictures without labels belong to groups")
    with pytest.raises(IndexImagesError, match=r"p1-0\.png: two_splits: its group p1 is in valid"):
        index(given, group_regex=r"p\d")


def test_a_valid_that_groups_leave_empty_is_told(of_patients: Files) -> None:
    two = {p: d for p, d in of_patients.items() if "p00" in p or "p01" in p}
    nothing, remedy = index(two, **IN_FOLDERS, test_frac=0.0, valid_frac=0.3).notes
    assert nothing == (
        "Nothing is in valid, because no group is cut: 2 groups, the largest holds 50 % of the "
        "pictures."
    )
    assert remedy.endswith(
        "use a larger index_images.valid_frac or smaller groups, since no group is cut."
    )
    with pytest.raises(ValueError, match=r"n_folds is 3, .* in only 2 groups"):
        index(two, **IN_FOLDERS, test_frac=0.0, n_folds=3)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"group_regex": "^nowhere"}, r"group_regex is '\^nowhere', .* none of the 16 pictures"),
        ({"group_column": "label"}, "group_column is 'label', but labels is folders"),
        (
            {"labels": "l.csv", "group_column": "p", "group_regex": "x"},
            "group_column is 'p' and group_regex 'x': one of them must be ''",
        ),
        ({"group_regex": "(p"}, "it must be a regular expression, but missing \\), unterminated"),
    ],
)
def test_groups_that_cannot_be(changed: dict[str, Any], match: str, given: Files) -> None:
    with pytest.raises(ValueError, match=match):
        index(given, **changed)


def test_a_column_of_groups_that_names_no_picture_is_told(with_table: Files) -> None:
    with_table["labels.csv"] = table(
        id=[str(i) for i in range(20)], label=["a", "b"] * 10, patient=[""] * 20
    )
    with pytest.raises(ValueError, match=r"group_column is 'patient', .* none of the 20 pictures"):
        index(with_table, **TABLE, group_column="patient")
    with pytest.raises(ValueError, match=r"group_column is 'patients', .* did you mean patient\?"):
        index(with_table, **TABLE, group_column="patients")
