"""Turns the rows of a table into the labels of each id, and checks them against the declared task."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

from headstart.indexing.columns import EVERY, NO, YES, require_columns
from headstart.indexing.table_rows import MISSING, Cell, Table, TableRow
from headstart.project.errors import HeadstartError

Separator = Literal["auto", "none", "space", "comma", "semicolon", "pipe"]

_SIGNS = {"space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}


class LabelsById(NamedTuple):
    """The labels of each id, a sorted tuple for each distinct row (empty: none); notes for the user."""

    labels: dict[str, set[tuple[str, ...]]]
    notes: tuple[str, ...]


def labels_by_id(
    table: Table,
    id_column: str,
    label_column: str,
    several: bool,
    separator: Separator = "auto",
    no_classes: Collection[str] = (),
) -> LabelsById:
    """The labels of each id in a table.

    Args:
        table: with a row a picture, or several that must agree.
        id_column: name of the column of ids.
        label_column: name of the column of labels; `EVERY`: each column besides the ids' is a class.
        several: whether a row may have several labels; otherwise its whole cell is one label.
        separator: between the labels of a cell. auto: several: spaces, or the sign that all cells
            have in place of them; one: the whole cell, which must not look like several labels.
            none: the whole cell.
        no_classes: columns that `EVERY` leaves out, besides those without a name (a row's number).

    Raises:
        HeadstartError: a column is missing, a cell cannot be understood, or the labels look like
            those of the other task.
    """
    wanted = {"id_column": id_column, "label_column": label_column}
    require_columns(table, {key: name for key, name in wanted.items() if name != EVERY})
    notes = table.notes
    if label_column == EVERY:
        classes = [c for c in table.columns if c and c not in {id_column, *no_classes}]
        labels = [_flagged(table, row, classes, several) for row in table.rows]
    else:
        sign, more = _sign(table, label_column, several, separator)
        notes += more
        labels = [tuple(_of_cell(table, row, label_column, several, sign)) for row in table.rows]
    if several and all(len(row) <= 1 for row in labels):
        raise HeadstartError(
            "index_images.task is multi_label, but no row has more than one label; set it to "
            "single_label, or index_images.label_separator to what is between the labels."
        )
    by_id: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for row, names in zip(table.rows, labels, strict=True):
        by_id[table.text(row, id_column)].add(tuple(sorted(set(names))))
    return LabelsById(dict(by_id), notes)


def _of_cell(table: Table, row: TableRow, column: str, several: bool, sign: str) -> Iterable[str]:
    """The labels in a cell, separated by `sign` ('': one label); those of a list as they are."""
    cell: Cell = row.cells[table.place_of[column]]
    if isinstance(cell, str):
        cell = table.text(row, column)
        if cell in MISSING:
            return ()
        return _parts(cell, sign) if several and sign else (cell,)
    if len(cell) > 1 and not several:
        raise HeadstartError(
            f"column {column!r} has {len(cell)} labels in {table.place(row)}, but index_images.task is "
            "single_label: set it to multi_label."
        )
    return (label for label in cell if label not in MISSING)


def _flagged(table: Table, row: TableRow, classes: Iterable[str], several: bool) -> tuple[str, ...]:
    """The classes whose cell is 1."""
    found = tuple(name for name in classes if _is_one(table, row, name))
    if not several and len(found) != 1:
        raise HeadstartError(
            f"{table.place(row)} has {len(found)} classes with 1 ({', '.join(found) or 'none'}), but "
            "must have exactly one, as index_images.task is single_label; with any number of classes "
            "a picture, set it to multi_label."
        )
    return found


def _is_one(table: Table, row: TableRow, column: str) -> bool:
    cell = table.text(row, column)
    if cell.lower() not in YES | NO:
        raise HeadstartError(
            f"column {column!r} holds {cell!r} in {table.place(row)}, but index_images.label_column is "
            f'"{EVERY}", so each column besides the ids must hold 0 or 1: correct the cell, or '
            "remove the column if it is no class."
        )
    return cell.lower() in YES


def _parts(cell: str, sign: str) -> Iterable[str]:
    """What `sign` separates; a space stands for any white space."""
    return filter(None, map(str.strip, cell.split(None if sign == " " else sign)))


def _sign(
    table: Table, column: str, several: bool, separator: Separator
) -> tuple[str, tuple[str, ...]]:
    """What is between the labels of a cell ('': nothing, the cell is one label), and notes on it."""
    if separator != "auto":
        return _SIGNS.get(separator, ""), ()
    place = table.columns.index(column)
    cells = {cell for row in table.rows if isinstance(cell := row.cells[place], str)} - MISSING
    if not several:
        _check_single(cells)
        return "", ()
    if (sign := _seen_in(sorted(cells))) == " ":
        return sign, ()
    note = (
        f"Labels in column {column!r} of {table.name} have no spaces between them, so they were split "
        f"at {sign!r} (index_images.label_separator is auto)."
    )
    return sign, (note,)


def _seen_in(cells: Sequence[str]) -> str:
    """What is between the labels of these cells: a space, unless another sign stands in its place.

    Raises:
        HeadstartError: several signs could be meant.
    """

    def any_has(sign: str) -> bool:
        return any(sign in cell for cell in cells)

    others = [key for key, sign in _SIGNS.items() if key != "space" and any_has(sign)]
    if not others:
        return " "
    if len(others) == 1 and not any_has(" "):
        return _SIGNS[others[0]]
    said = next(cell for cell in cells if _SIGNS[others[0]] in cell)
    raise HeadstartError(
        f"labels such as {said!r} could be separated by space or by {' or by '.join(others)}: set "
        f"index_images.label_separator to {' or '.join(['space', *others])}; did you mean "
        f"{others[0]}?"
    )


def _check_single(labels: Collection[str]) -> None:
    """Refuse labels that look like several tags, from which a network would learn nonsense."""
    for key, sign in _SIGNS.items():
        parts = {part for label in labels for part in _parts(label, sign)}
        if len(parts) < len(labels):
            raise HeadstartError(
                f"index_images.task is single_label, but the {len(labels)} different labels are made "
                f"of only {len(parts)} words: they look like several tags a picture, separated by "
                f"{key}. Set index_images.task to multi_label, or, if each is the name of one class, "
                "index_images.label_separator to none."
            )
