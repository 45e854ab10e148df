import pytest

from headstart.indexing.columns import (
    Columns,
    guess_columns,
    guess_group,
    guess_split,
    require_columns,
)
from headstart.indexing.table_rows import Table, TableRow
from headstart.project.errors import HeadstartError


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("image_name,tags", ("image_name", "tags")),  # Planet
        ("id,breed", ("id", "breed")),  # dog breeds
        ("file_name,label", ("file_name", "label")),  # Hugging Face
        ("lesion_id,image_id,dx,dx_type,age", ("image_id", "dx")),  # HAM10000
        ("Image Index,Finding Labels,Follow-up #", ("Image Index", "Finding Labels")),  # NIH
        ("id,Filename,Class", ("Filename", "Class")),
        ("image,Zygosity", ("image", "Zygosity")),  # the only one left
        ("x,y,z", (None, "y")),
        ("a,b", (None, None)),
        ("", (None, None)),
    ],
)
def test_columns_by_their_names(header: str, wanted: tuple[str | None, str | None]) -> None:
    assert guess_columns(header.split(",")) == Columns(*wanted)


def test_columns_by_their_cells() -> None:
    assert guess_columns(("a", "b"), [("cat", "1.jpg"), ("dog", "2.png")]) == Columns("b", "a")
    flags = [("x1", "1.0", "0.0", "False"), ("x2", "0", "1", "true")]
    assert guess_columns(("image", "MEL", "NV", "BCC"), flags) == Columns("image", "*")
    numbered = [(str(i), *row) for i, row in enumerate(flags)]
    assert guess_columns(("", "image", "MEL", "NV", "BCC"), numbered) == Columns("image", "*")
    sizes = [("x1", "1", "640"), ("x2", "0", "480")]
    assert guess_columns(("image", "MEL", "width"), sizes) == Columns("image", None)


def test_a_column_of_groups() -> None:
    header = ["file", "Patient ID", "label"]
    rows = [("1.jpg", "7", "a"), ("2.jpg", "7", "b"), ("3.jpg", "8", "a")]
    assert guess_group(header, rows, ["file", "label"]) == "Patient ID"
    assert guess_group(header, rows, ["file", "Patient ID"]) == ""  # patients are the classes
    assert guess_group(header, rows[:2], ["file", "label"]) == ""  # one group
    assert guess_group(header, rows[1:], ["file", "label"]) == ""  # each picture by itself
    assert guess_group(["file", "age", "label"], rows, ["file", "label"]) == ""


def test_a_column_of_splits() -> None:
    header = ["file", "Data Set", "label"]
    rows = [("1.jpg", "train", "a"), ("2.jpg", "val", "b"), ("3.jpg", "test", "a")]
    assert guess_split(header, rows, ["file", "label"]) == "Data Set"
    assert guess_split(header, rows[:1], ["file", "label"]) == ""  # all are train
    assert guess_split(header, [*rows, ("4.jpg", "web", "a")], ["file", "label"]) == ""
    assert guess_split(["file", "part", "label"], rows, ["file", "label"]) == ""


def table(columns: str, *rows: str) -> Table:
    found = [TableRow(i, tuple(row.split(","))) for i, row in enumerate(rows, start=2)]
    return Table("l.csv", "line", tuple(columns.split(",")), found)


@pytest.mark.parametrize(
    ("found", "wanted", "ends"),
    [
        (
            table("file_name,label", "a.jpg,cat"),
            {"id_column": "id", "label_column": "label"},
            "no column id (it has file_name, label); did you mean index_images.id_column: file_name?",
        ),
        (
            table("Image,Breed", "a,cat"),
            {"id_column": "id", "label_column": "label"},
            "did you mean index_images.id_column: Image and index_images.label_column: Breed?",
        ),
        (
            table("id,lable,tags", "a,cat,x"),
            {"id_column": "id", "label_column": "label"},
            "did you mean index_images.label_column: lable?",
        ),
        (
            table("id,MEL,NV", "a,1,0"),
            {"id_column": "id", "label_column": "label"},
            'did you mean index_images.label_column: "*"?',
        ),
        (
            table("id,zygosity", "a,b"),
            {"id_column": "id", "label_column": "l"},
            "l_column: zygosity?",
        ),
        (
            table("a.jpg,cat", "b.jpg,dog"),
            {"id_column": "id", "label_column": "label"},
            "seems to be a row, so write a line with the columns' names above it.",
        ),
        (
            table("p,q,r", "1,2,3"),
            {"id_column": "id", "label_column": "label"},
            "set index_images.id_column and index_images.label_column to columns that it has.",
        ),
    ],
)
def test_a_missing_column_is_guessed(found: Table, wanted: dict[str, str], ends: str) -> None:
    with pytest.raises(HeadstartError) as error:
        require_columns(found, wanted)
    assert str(error.value).startswith("l.csv has no column ")
    assert str(error.value).endswith(ends)


def test_columns_that_are_there_are_no_problem() -> None:
    require_columns(table("id,label", "a,b"), {"id_column": "id", "label_column": "label"})
