"""A table of any form: its columns, and its rows with their places in the file."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from headstart.project.errors import HeadstartError
from headstart.project.short import listed

MAX_COLUMNS = 50_000
MISSING = frozenset({"", "nan", "NaN", "<NA>"})
"""Cells that say nothing, as pandas and spreadsheets write them."""

Cell = str | tuple[str, ...]
"""Text without spaces at its ends ('': nothing), or the list that JSON and Parquet may hold."""


def require_moderate_width(n_columns: int, name: str) -> None:
    """Refuse a table with more columns than any has.

    Raises:
        HeadstartError: there are more than MAX_COLUMNS.
    """
    if n_columns > MAX_COLUMNS:
        raise HeadstartError(
            f"{name} has {n_columns} columns, but a table of labels has at most {MAX_COLUMNS}: write a "
            "row for each picture, not a column."
        )


class TableRow(NamedTuple):
    """One row of a table.

    Attributes:
        number: in its file, from 1.
        cells: one for each column.
        file: path of its file, if the table was joined from several; '': that of the table.
    """

    number: int
    cells: tuple[Cell, ...]
    file: str = ""


@dataclass(frozen=True)
class Table:
    """What a table file holds.

    Attributes:
        name: path of the file, or of several with * in it, for sentences.
        unit: what the numbers of the rows count: line or row.
        columns: their names, each once.
        rows: in the order of the file, without empty ones.
        notes: sentences for the user on how the file was read.

    Raises:
        HeadstartError: two columns have one name.
    """

    name: str
    unit: str
    columns: tuple[str, ...]
    rows: list[TableRow]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a repeated name, because nobody could say which column it means."""
        if twice := [name for name, n in Counter(self.columns).items() if n > 1 and name]:
            raise HeadstartError(
                f"{self.name} has several columns named {listed(map(repr, twice))}: rename all "
                "but one of them."
            )

    @cached_property
    def place_of(self) -> Mapping[str, int]:
        """Number of each column, from 0."""
        return {name: place for place, name in enumerate(self.columns)}

    def place(self, row: TableRow) -> str:
        """Where a row is, such as line 7 of labels.csv."""
        return f"{self.unit} {row.number} of {row.file or self.name}"

    def text(self, row: TableRow, column: str) -> str:
        """The cell of a row, which must be text on one line.

        Raises:
            HeadstartError: it holds several lines or a list.
        """
        cell = row.cells[self.place_of[column]]
        if isinstance(cell, tuple):
            raise HeadstartError(
                f"column {column!r} holds a list in {self.place(row)}, but must hold one text."
            )
        if "\n" in cell:
            raise HeadstartError(
                f"column {column!r} holds several lines in {self.place(row)}: close the quote that "
                "is open there, or write the cell on one line."
            )
        return cell
