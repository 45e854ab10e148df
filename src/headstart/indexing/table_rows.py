"""A table of any form: its columns, and its rows with their places in the file."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from headstart.project.errors import HeadstartError

Cell = str | tuple[str, ...]
"""Text without spaces at its ends ('': nothing), or the list that JSON and Parquet may hold."""


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
                f"{self.name} has several columns named {', '.join(map(repr, twice))}: rename all "
                "but one of them."
            )

    def place(self, row: TableRow) -> str:
        """Where a row is, such as line 7 of labels.csv."""
        return f"{self.unit} {row.number} of {row.file or self.name}"

    def text(self, row: TableRow, column: str) -> str:
        """The cell of a row, which must be text on one line.

        Raises:
            HeadstartError: it holds several lines or a list.
        """
        cell = row.cells[self.columns.index(column)]
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
