"""Parses tables that are records with named values: JSON lines, a JSON list, Parquet."""

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headstart.indexing.table_bytes import Text
from headstart.indexing.table_rows import Cell, Table, TableRow
from headstart.project.errors import HeadstartError

_PANDAS_INDEX = "__index_level_"  # how pandas names the columns of an index without a name


def json_table(found: Text, name: str) -> Table:
    """The rows of a list of objects, or of one object a line; a key that a row lacks is empty there.

    Raises:
        HeadstartError: the text is not JSON, or has another form.
    """
    if found.text.lstrip().startswith("["):
        unit, values = "row", list(enumerate(_loaded(found.text, name), start=1))
    else:
        unit, values = "line", _lines(found.text, name)
    columns: dict[str, None] = {}  # in the order in which they appear
    for number, value in values:
        if not isinstance(value, dict):
            raise HeadstartError(
                f"{unit} {number} of {name} is no JSON object: each must be one, such as "
                '{"file_name": "a.jpg", "label": "cat"}.'
            )
        columns |= dict.fromkeys(value)
    rows = [
        TableRow(number, tuple(_cell(value.get(column)) for column in columns))
        for number, value in values
    ]
    return Table(name, unit, tuple(columns), _filled(rows), found.notes)


def parquet_table(data: bytes, name: str) -> Table:
    """The rows of a Parquet file that names pictures; an index without a name is left out.

    Raises:
        HeadstartError: the file is damaged, or holds the pictures themselves.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        if pictures := [field.name for field in file.schema_arrow if _holds_bytes(field.type)]:
            raise HeadstartError(
                f"{name} holds the pictures themselves (in column {', '.join(pictures)}): set "
                "dataset.source to a folder of such Parquet files and of nothing else, and "
                "index_images.labels to folders (docs/own_pictures.md, Tables of labels)."
            )
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise HeadstartError(f"{name} is a damaged Parquet file: {error}.") from None
    names = [column for column in table.column_names if not column.startswith(_PANDAS_INDEX)]
    values = zip(*(table.column(column).to_pylist() for column in names), strict=True)
    rows = [TableRow(i, tuple(map(_cell, value))) for i, value in enumerate(values, start=1)]
    return Table(name, "row", tuple(names), _filled(rows))


def _lines(text: str, name: str) -> list[tuple[int, Any]]:
    lines = enumerate(map(str.strip, io.StringIO(text, newline=None)), start=1)
    filled = [(number, line) for number, line in lines if line]
    try:
        return [(number, json.loads(line)) for number, line in filled]
    except json.JSONDecodeError:
        pass
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return [(number, _loaded(line, name, number)) for number, line in filled]
    raise HeadstartError(
        f"{name} is one JSON object over several lines, but must be a list of objects, one a picture, "
        "or have one object a line."
    )


def _loaded(text: str, name: str, number: int = 1) -> Any:
    """The value of a text that begins in line `number`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = number + error.lineno - 1
        raise HeadstartError(f"line {line} of {name} is not valid JSON: {error.msg}.") from None


def _filled(rows: list[TableRow]) -> list[TableRow]:
    return [row for row in rows if any(row.cells)]


def _cell(value: Any) -> Cell:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return value.strip()
        case Sequence():
            return tuple(str(_cell(part)) for part in value)
        case _:
            return str(value)


def _holds_bytes(kind: Any) -> bool:
    """Whether a column holds bytes, alone or as a part of a struct, as Hugging Face's images do."""
    if pa.types.is_struct(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return any(is_kind(kind) for is_kind in (pa.types.is_binary, pa.types.is_large_binary))
