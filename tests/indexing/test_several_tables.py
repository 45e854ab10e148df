"""Tables of one name in several folders, read as one."""

import pytest

from headstart.indexing.several_tables import joined, pattern_of, tables_named
from headstart.indexing.table_file import read_table
from headstart.indexing.table_rows import Table
from headstart.project.errors import HeadstartError

PATHS = ["test/m.csv", "train/m.csv", "train/deep/m.csv", "train/xm.csv", "train/a.jpg", "m.csv"]


def tables(**of_folders: str) -> list[Table]:
    return [read_table(text.encode(), f"{name}/m.csv") for name, text in of_folders.items()]


def test_a_star_stands_for_a_part_of_one_name() -> None:
    assert tables_named("train/m.csv", PATHS) == ["train/m.csv"]
    assert tables_named("*/m.csv", PATHS) == ["test/m.csv", "train/m.csv"]
    assert tables_named("tr*n/m.c*", PATHS) == ["train/m.csv"]
    assert tables_named("*", PATHS) == ["m.csv"]
    assert tables_named("valid/m.csv", PATHS) == []
    assert tables_named("*/x.csv", PATHS) == []
    assert tables_named("a*/m.csv", ["a*/m.csv", "ab/m.csv"]) == ["a*/m.csv"]


def test_several_paths_in_one() -> None:
    assert pattern_of(["a/m.csv"]) == "a/m.csv"
    assert pattern_of(["x/train/m.csv", "x/test/m.csv"]) == "x/*/m.csv"
    assert pattern_of(["m.csv", "test/m.csv"]) == ""


def test_ids_begin_at_the_folder_of_their_table() -> None:
    both = tables(test="id,label\n1.jpg,a\n", train='label,id\nb,2.jpg\n"",sub/3.jpg\nc,\n')
    table = joined(both, "*/m.csv", "id")
    assert table.columns == ("id", "label")
    assert [row.cells for row in table.rows] == [
        ("test/1.jpg", "a"), ("train/2.jpg", "b"), ("train/sub/3.jpg", ""), ("", "c")
    ]  # fmt: skip
    assert [table.place(row) for row in table.rows[:2]] == [
        "line 2 of test/m.csv", "line 2 of train/m.csv"
    ]  # fmt: skip


def test_one_table_stays_as_it_is_and_notes_of_all_are_kept() -> None:
    [one] = tables(train="id,label\n1.jpg,a\n")
    assert joined([one], "train/m.csv", "id") is one
    old = read_table("id,label\n1.jpg,Bär\n".encode("cp1252"), "test/m.csv")
    assert joined([old, one], "*/m.csv", "id").notes == old.notes != ()


@pytest.mark.parametrize(
    ("of_test", "sentence"),
    [
        (
            "id\n1.jpg\n",
            "test/m.csv has no column 'label', but train/m.csv has, and index_images.labels '*/m.csv' "
            "reads both as one table: add the column, with empty cells where nothing is known.",
        ),
        (
            "id,labels\n1.jpg,a\n",
            "train/m.csv has no column 'labels', but test/m.csv has, and index_images.labels '*/m.csv' "
            "reads both as one table: did you mean its column 'label'? Rename it.",
        ),
    ],
)
def test_columns_must_agree(of_test: str, sentence: str) -> None:
    both = tables(test=of_test, train="id,label\n2.jpg,b\n")
    with pytest.raises(HeadstartError) as error:
        joined(both, "*/m.csv", "id")
    assert str(error.value) == sentence
