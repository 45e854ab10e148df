"""Splits in a column of the table, under their usual names."""

import pytest

from headstart.indexing.index import IndexImagesError
from headstart.indexing.table_rows import Table, TableRow
from headstart.indexing.table_splits import splits_by_column
from headstart.project.errors import HeadstartError
from tests.indexed import TABLE, Files, index, picture, table

BY_COLUMN = TABLE | {"csv_folder": "", "split": "given", "split_column": "part"}
PARTS = ["train"] * 6 + ["val"] * 2 + ["Test"] * 2


def files(parts: list[str]) -> Files:
    pictures = {f"{i}.png": picture(i) for i in range(len(parts))}
    names = [str(i) for i in range(len(parts))]
    return pictures | {
        "labels.csv": table(id=names, label=["a", "b"] * (len(parts) // 2), part=parts)
    }


def test_cells_are_usual_names() -> None:
    rows = [("1", "Training"), ("2", "val"), ("2", "dev"), ("3", ""), ("4", "train"), ("4", "test")]
    found = [TableRow(i, row) for i, row in enumerate(rows, start=2)]
    by_id = splits_by_column(Table("l.csv", "line", ("id", "split"), found), "id", "split")
    assert by_id == {"1": {"train"}, "2": {"valid"}, "4": {"train", "test"}}
    with pytest.raises(
        HeadstartError, match=r"holds '1' in line 2 of l.csv, but .*split_column needs"
    ):
        splits_by_column(Table("l.csv", "line", ("id", "s"), [TableRow(2, ("x", "1"))]), "id", "s")


def test_a_column_gives_the_splits() -> None:
    found = index(files(PARTS), **BY_COLUMN)
    counts = {split: of["n"] for split, of in found.counts()["splits"].items()}
    assert counts == {"train": 6, "valid": 2, "test": 2} and found.problems.empty


def test_with_a_drawn_valid_test_alone_is_taken_from_it() -> None:
    parts = ["train"] * 8 + ["test"] * 2
    drawn = BY_COLUMN | {"split": "stratified", "valid_frac": 0.25, "test_frac": 0.0}
    counts = {s: of["n"] for s, of in index(files(parts), **drawn).counts()["splits"].items()}
    assert counts == {"train": 6, "valid": 2, "test": 2}
    with pytest.raises(IndexImagesError, match=r"already says what is valid: set it to given"):
        index(files(PARTS), **drawn)


def test_rows_that_name_two_splits_or_none() -> None:
    given = files(PARTS)
    given["labels.csv"] += b"\n0,a,valid\n1,b,"
    given["labels.csv"] = given["labels.csv"].replace(b"\n2,a,train", b"\n2,a,")
    found = index(given, **BY_COLUMN, on_problem="set_aside")
    assert found.problems.to_numpy().tolist() == [
        ["0.png", "two_splits", "rows of the table say train and valid"],
        ["2.png", "no_part", "its row of the table names no split"],
    ]


def test_without_a_table_there_is_no_column() -> None:
    with pytest.raises(ValueError, match=r"split_column is 'part', but labels is folders"):
        index(files(PARTS), **BY_COLUMN | {"labels": "folders"})
    with pytest.raises(
        HeadstartError, match=r"labels.csv has no column parts .*did you mean .*part"
    ):
        index(files(PARTS), **BY_COLUMN | {"split_column": "parts"})
