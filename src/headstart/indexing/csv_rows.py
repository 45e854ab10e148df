"""Parses a CSV with a header, whose cells are separated by comma, semicolon, tab or |."""

import csv
import io
import re
from collections.abc import Iterator

from headstart.indexing.table_bytes import Text
from headstart.indexing.table_rows import Table, TableRow, require_moderate_width
from headstart.project.errors import HeadstartError
from headstart.project.short import cut, listed

_SEPARATORS = ",;\t|"


def csv_table(found: Text, name: str) -> Table:
    """The rows of a CSV. The header shows what separates the cells, and every row must agree.

    Args:
        found: the text of the file, which holds more than white space.
        name: of the file, for sentences.

    Raises:
        HeadstartError: a row has more or fewer cells than the header, a quote is not closed, or two
            columns have one name.
    """
    text, n_before = found.text, 0
    if excel := re.match(r"sep=.\r?\n", text):  # Excel writes the separator into a line of its own
        text, n_before = text[excel.end() :], 1
    first = next(line for line in io.StringIO(text, newline=None) if line.strip())
    bare = re.sub(r'"[^"]*"', "", first)
    likely = [s for s in sorted(_SEPARATORS, key=bare.count, reverse=True) if s in bare] or [","]
    problem = None
    for separator in likely:
        try:
            (_, header), *rows = _records(text, separator, n_before, name)
            cells = [TableRow(number, tuple(row)) for number, row in rows]
            return Table(name, "line", tuple(header), cells, found.notes)
        except HeadstartError as error:
            problem = problem or error  # that of the likeliest separator
    assert problem is not None
    raise problem


def _records(
    text: str, separator: str, n_before: int, name: str
) -> Iterator[tuple[int, list[str]]]:
    """The header and the rows, each with its line and as many cells, without empty ones.

    Raises:
        HeadstartError: as `csv_table`.
    """
    # newline=None: each of CR, CRLF and LF ends a line
    lines = io.StringIO(text, newline=None)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    header: list[str] = []
    while True:
        number = reader.line_num + n_before + 1
        place = f"line {number} of {name}"
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            if not header:
                raise HeadstartError(
                    f"{name} has only empty cells: it must have a header."
                ) from None
            return
        except csv.Error as error:
            raise HeadstartError(
                f'{place} has a quote (") that is not closed, or text after a closed one: write a '
                f'quote inside a cell twice ("") or remove it ({error}).'
            ) from None
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()  # an empty cell too many says nothing
        if not any(cells):
            continue
        if not header:
            require_moderate_width(len(cells), name)
            header = cells
        if len(cells) > len(header):
            raise HeadstartError(
                f"{place} has {len(cells)} cells, but the header has {len(header)} "
                f"({listed(header)}): put quotes around a cell that holds {separator!r}, such as "
                f'"{cut(cells[-2])}{separator} {cut(cells[-1])}".'
            )
        if len(cells) < len(header):
            raise HeadstartError(
                f"{place} has {len(cells)} cells, but the header has {len(header)} "
                f"({listed(header)}): complete the line or remove it."
            )
        yield number, cells
