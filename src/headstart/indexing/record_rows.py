"""Parses tables that are records with named values: JSON lines, a JSON list, Parquet."""

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headstart.indexing.table_bytes import Text
from headstart.indexing.table_rows import Cell, Table, TableRow, require_moderate_width
from headstart.project.errors import HeadstartError
from headstart.project.short import first_line

_MAX_BYTES = 1 << 28  # of a Parquet table in memory
_N_ROWS = 1024  # read at a time
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
        require_moderate_width(len(columns), name)
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
        require_moderate_width(len(file.schema_arrow), name)
        if pictures := [field.name for field in file.schema_arrow if _holds_bytes(field.type)]:
            raise HeadstartError(
                f"{name} holds the pictures themselves (in column {', '.join(pictures)}): set "
                "dataset.source to a folder of such Parquet files and of nothing else, and "
                "index_images.labels to folders (docs/own_pictures.md, Tables of labels)."
            )
        table = _bounded(file, name)
        names = [column for column in table.column_names if not column.startswith(_PANDAS_INDEX)]
        places = [table.column_names.index(column) for column in names]
        values = list(zip(*(table.column(i).to_pylist() for i in places), strict=True))
    except HeadstartError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise HeadstartError(
            f"{name} is a damaged Parquet file: write it again ({first_line(error)})."
        ) from None
    rows = [TableRow(i, tuple(map(_cell, value))) for i, value in enumerate(values, start=1)]
    return Table(name, "row", tuple(names), _filled(rows))


def _bounded(file: pq.ParquetFile, name: str) -> pa.Table:
    """All rows. A value that is stored once may stand in millions of them, so they are counted."""
    found, n_bytes = [], 0
    for batch in file.iter_batches(_N_ROWS):
        n_bytes += batch.nbytes
        if n_bytes > _MAX_BYTES:
            raise HeadstartError(
                f"{name} unpacks to more than {_MAX_BYTES >> 20} MB, too much for a table of labels: "
                "leave out columns that say nothing about labels."
            )
        found.append(batch)
    return pa.Table.from_batches(found, file.schema_arrow)


def _lines(text: str, name: str) -> list[tuple[int, Any]]:
    lines = enumerate(map(str.strip, io.StringIO(text, newline=None)), start=1)
    filled = [(number, line) for number, line in lines if line]
    try:
        return [(number, json.loads(line)) for number, line in filled]
    except (ValueError, RecursionError):
        pass
    try:
        json.loads(text)
    except (ValueError, RecursionError):
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
        raise HeadstartError(
            f"line {line} of {name} is not valid JSON: {error.msg}; correct it there."
        ) from None
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, 1000 lists in lists
        raise HeadstartError(
            f"{name} holds a value from line {number} on that is no cell of a table: "
            f"{first_line(error)}."
        ) from None


def _filled(rows: list[TableRow]) -> list[TableRow]:
    return [row for row in rows if any(row.cells)]


def _cell(value: Any) -> Cell:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            # JSON may write half of a character, which no file can hold
            return value.encode(errors="replace").decode().strip()
        case Sequence():
            return tuple(str(_cell(part)) for part in value)
        case _:
            return str(value)


def _holds_bytes(kind: Any) -> bool:
    """Whether a column holds bytes, alone or as a part of a struct, as Hugging Face's images do."""
    if pa.types.is_struct(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return any(is_kind(kind) for is_kind in (pa.types.is_binary, pa.types.is_large_binary))
