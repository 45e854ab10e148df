"""Reads several tables as one, such as the metadata.jsonl in each split folder."""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath

from headstart.indexing.table_rows import Table, TableRow
from headstart.project.errors import HeadstartError


def tables_named(labels: str, paths: Collection[str]) -> list[str]:
    """The paths that `index_images.labels` names, sorted; none if there is no such file.

    Args:
        labels: a path, or several in one: * stands for any part of one folder's or file's name.
        paths: of all files.
    """
    if labels in paths or "*" not in labels:
        return [labels] if labels in paths else []
    pattern = re.compile("[^/]*".join(map(re.escape, labels.split("*"))))
    return sorted(filter(pattern.fullmatch, paths))


def pattern_of(paths: Sequence[str]) -> str:
    """The paths in one, with * where their folders differ; '' if some are deeper than others."""
    parts = [path.split("/") for path in paths]
    if len(set(map(len, parts))) > 1:
        return ""
    return "/".join(names[0] if len(set(names)) == 1 else "*" for names in zip(*parts, strict=True))


def joined(tables: Sequence[Table], labels: str, id_column: str) -> Table:
    """The rows of all tables; one table stays as it is.

    The ids of several tables begin at the folder of their table, and get that folder before them.

    Args:
        tables: at least one.
        labels: `index_images.labels`, which names them.
        id_column: name of the column of ids; where there is none, nothing is put before the ids.

    Raises:
        HeadstartError: one table has a column that another lacks.
    """
    first, *others = tables
    if not others:
        return first
    for other in others:
        _require_same_columns(first, other, labels)
    units = {table.unit for table in tables}
    rows = [row for table in tables for row in _rows_from_above(table, first.columns, id_column)]
    notes = tuple(note for table in tables for note in table.notes)
    return Table(labels, units.pop() if len(units) == 1 else "row", first.columns, rows, notes)


def _rows_from_above(table: Table, columns: Sequence[str], id_column: str) -> list[TableRow]:
    """The rows with their cells in the order of `columns`, and ids from the images folder on."""
    order = [table.columns.index(column) for column in columns]
    at = columns.index(id_column) if id_column in columns else -1
    folder = PurePosixPath(table.name).parent
    rows = []
    for number, cells, _ in table.rows:
        ordered = [cells[i] for i in order]
        if at >= 0 and ordered[at] and isinstance(name := ordered[at], str):
            ordered[at] = str(folder / name)
        rows.append(TableRow(number, tuple(ordered), table.name))
    return rows


def _require_same_columns(one: Table, other: Table, labels: str) -> None:
    for has, lacks in ((one, other), (other, one)):
        more = [column for column in has.columns if column not in lacks.columns]
        if not more:
            continue
        own = [column for column in lacks.columns if column not in has.columns]
        like = get_close_matches(more[0], own, n=1)
        advice = (
            f"did you mean its column {like[0]!r}? Rename it."
            if like
            else "add the column, with empty cells where nothing is known."
        )
        raise HeadstartError(
            f"{lacks.name} has no column {more[0]!r}, but {has.name} has, and index_images.labels "
            f"{labels!r} reads both as one table: {advice}"
        )
