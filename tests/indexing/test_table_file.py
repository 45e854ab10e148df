"""Each form of a table that people have, as bytes; the name never says which form it is."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.indexing.table_file import read_table
from headstart.indexing.table_rows import Table
from headstart.project.errors import HeadstartError

ROWS = [("a.jpg", "Terrier"), ("b.jpg", "Pug, old"), ("c.jpg", "Bärenhund")]


def read(data: bytes) -> Table:
    return read_table(data, "labels.csv")


def rows(table: Table) -> list[tuple[Any, ...]]:
    return [row.cells for row in table.rows]


def csv(separator: str = ",", end: str = "\n") -> str:
    lines = [("id", "breed"), *ROWS]
    return "".join(
        separator.join(f'"{c}"' if separator in c else c for c in line) + end for line in lines
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_separator_line_end_and_encoding(separator: str, end: str, encoding: str) -> None:
    table = read(csv(separator, end).encode(encoding))
    assert (table.columns, rows(table), table.notes) == (("id", "breed"), ROWS, ())
    assert [table.place(row) for row in table.rows] == [
        f"line {i} of labels.csv" for i in (2, 3, 4)
    ]


def test_a_separator_in_the_text_of_a_header_is_none() -> None:
    table = read(b"id;breed (of the dog, as told);sure;by\na.jpg;Pug;1;me\n")
    assert table.columns == ("id", "breed (of the dog, as told)", "sure", "by")
    table = read(b'id;"breed, or none, or more";by\na.jpg;Pug;me\n')
    assert table.columns == ("id", "breed, or none, or more", "by")


def test_the_line_in_which_excel_names_its_separator() -> None:
    table = read(b"sep=;\r\nid;breed\r\na.jpg;Pug\r\n")
    assert (table.columns, rows(table)) == (("id", "breed"), [("a.jpg", "Pug")])
    assert table.place(table.rows[0]) == "line 3 of labels.csv"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bytes_that_are_not_utf_8_are_windows_1252_and_it_is_said(end: str) -> None:
    table = read(csv(end=end).encode("cp1252"))
    assert rows(table) == ROWS
    [note] = table.notes
    assert note.startswith(
        "labels.csv is not UTF-8, so it was read as Windows-1252 (its line 4 reads"
    )
    assert "'c.jpg,Bärenhund'" in note


def test_empty_rows_and_empty_cells_at_the_end_say_nothing() -> None:
    table = read(b"\n\nid,breed,\n\na.jpg,Pug,,,\n,,\n   \nb.jpg,,\n\n")
    assert (table.columns, rows(table)) == (("id", "breed"), [("a.jpg", "Pug"), ("b.jpg", "")])
    assert [row.number for row in table.rows] == [5, 8]


def test_quoted_cells_may_hold_lines_and_quotes_unless_they_are_labels() -> None:
    table = read(b'id,said,label\na.jpg,"two\nlines, ""so""",cat\nb.jpg,x,dog\n')
    assert rows(table) == [("a.jpg", 'two\nlines, "so"', "cat"), ("b.jpg", "x", "dog")]
    assert [row.number for row in table.rows] == [2, 4]
    with pytest.raises(
        HeadstartError, match=r"column 'said' holds several lines in line 2 of label"
    ):
        table.text(table.rows[0], "said")


def test_json_lines_and_a_json_list() -> None:
    values: list[dict[str, Any]] = [
        {"file_name": "a.jpg", "label": 3, "more": {"x": 1}},
        {"file_name": "b.jpg", "tags": ["c", "d e"], "label": None},
        {"file_name": "c.jpg", "label": True},
    ]
    lines = "\r\n".join(map(json.dumps, values)) + "\n\n"
    listed = json.dumps(values, indent=2)
    for text, unit in ((lines, "line"), (listed, "row")):
        table = read(text.encode())
        assert table.columns == ("file_name", "label", "more", "tags")
        assert rows(table) == [
            ("a.jpg", "3", "{'x': 1}", ""), ("b.jpg", "", "", ("c", "d e")), ("c.jpg", "true", "", "")
        ]  # fmt: skip
        assert table.place(table.rows[1]) == f"{unit} 2 of labels.csv"


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def test_parquet() -> None:
    index = pa.array([7, 8])
    data = parquet(
        id=["a", "b"], label=pa.array(["cat", None]), tags=[["x"], []], __index_level_0__=index
    )
    table = read(data)
    assert table.columns == ("id", "label", "tags")
    assert rows(table) == [("a", "cat", ("x",)), ("b", "", ())]
    assert table.place(table.rows[1]) == "row 2 of labels.csv"


def workbook() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
    return buffer.getvalue()


REFUSED: dict[str, tuple[bytes, str]] = {
    "more cells": (
        b"id,label\nb.jpg,Pug\na.jpg,Terrier, Boston\n",
        r"line 3 of labels\.csv has 3 cells, but the header has 2 \(id, label\): put quotes around a "
        r"cell that holds ',', such as \"Terrier, Boston\"\.",
    ),
    "fewer cells": (
        b"id,label\na.jpg,Pug\nb.j",
        r"line 3 of labels\.csv has 1 cells.* complete the",
    ),
    "open quote": (b'id,label\na.jpg,"Pug\nb.jpg,Pug\n', r"line 2 of labels\.csv has a quote"),
    "closed later": (b'id,label\na.jpg,"Pug\nb.jpg,"Pug"\n', r"line 2 of labels\.csv has a quote"),
    "header twice": (b"id,label,label\na,b,c\n", r"labels\.csv has several columns named 'label'"),
    "empty": (b"", r"labels\.csv is empty"),
    "white": (b"\xef\xbb\xbf \r\n", r"labels\.csv is empty"),
    "commas": (b",,\n,,\n", r"labels\.csv has only empty cells"),
    "no rows": (b"id,label\n", r"labels\.csv has no rows below its header \(id, label\)"),
    "xlsx": (workbook(), r"labels\.csv is an Excel workbook .*: save its sheet as CSV \(UTF-8\)"),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
        r"labels\.csv is an old Excel workbook",
    ),
    "gzip": (gzip.compress(b"id,label\na,b\n"), r"labels\.csv is compressed by gzip.*: unpack it"),
    "html": (b"\n<!DOCTYPE html><html>", r"labels\.csv is a web page or XML"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid",
        "a pointer of Git LFS.* git lfs pull",
    ),
    "utf-16 without mark": ("id,label\na,b\n".encode("utf-16-le"), r"labels\.csv holds zero bytes"),
    "half of utf-16": ("id,label".encode("utf-16")[:-1], r"begins as UTF-16, but is damaged from"),
    "no encoding": (
        b"id,label\na,b\xe4\x81\n",
        r"neither UTF-8 nor Windows-1252 \(byte 13 is 0x81\)",
    ),
    "bad line": (
        b'{"id": "a"}\n{"id": \n',
        r"line 2 of labels\.csv is not valid JSON: Expecting value",
    ),
    "no object": (b'{"id": "a"}\n3\n', r"line 2 of labels\.csv is no JSON object"),
    "one object": (b'{"images": [\n]}', r"labels\.csv is one JSON object over several lines"),
    "broken list": (b'[{"id": 1},\n {"id"]', r"line 2 of labels\.csv is not valid JSON"),
    "list of texts": (b'["a"]', r"row 1 of labels\.csv is no JSON object"),
    "damaged parquet": (parquet(id=["a"])[:-9], r"labels\.csv is a damaged Parquet file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_safely_is_refused_in_one_sentence(case: str) -> None:
    data, match = REFUSED[case]
    with pytest.raises(HeadstartError, match=match) as error:
        read(data)
    assert "\n" not in str(error.value)


def of_hugging_face() -> bytes:
    image = pa.array([{"bytes": b"\x89PNG", "path": "a.png"}])
    return parquet(image=image, label=[1])


@pytest.mark.parametrize("make", [of_hugging_face, lambda: parquet(image=[b"\x89PNG"], label=[1])])
def test_a_parquet_of_pictures_is_a_source_and_no_table(make: Callable[[], bytes]) -> None:
    with pytest.raises(
        HeadstartError, match=r"pictures themselves \(in column image\): set dataset\.source"
    ):
        read(make())
