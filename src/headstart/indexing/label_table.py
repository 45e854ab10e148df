"""Parses a CSV of ids and labels, and checks it against the declared task."""

import csv
import io

from headstart.project.errors import HeadstartError


def parse_table(
    text: str, id_column: str, label_column: str, several: bool
) -> dict[str, set[tuple[str, ...]]]:
    """The labels of each id in a CSV with a header: a sorted tuple for each distinct row (empty: none).

    Args:
        text: the whole table.
        id_column: name of the column of ids.
        label_column: name of the column of labels.
        several: whether spaces separate the labels of a row; otherwise the whole cell is one label.

    Raises:
        ValueError: a column is missing, or the labels look like those of the other task.
    """
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    columns = reader.fieldnames or []
    if missing := [name for name in (id_column, label_column) if name not in columns]:
        raise HeadstartError(
            f"the table has no column {', '.join(missing)} (it has {', '.join(columns)}); "
            "set index_images.id_column and index_images.label_column to columns that it has."
        )
    labels: dict[str, set[tuple[str, ...]]] = {}
    for row in reader:
        cell = (row[label_column] or "").strip()
        words = tuple(sorted(set(cell.split()))) if several else (cell,) if cell else ()
        labels.setdefault((row[id_column] or "").strip(), set()).add(words)
    _check_task({words for rows in labels.values() for words in rows if words}, several)
    return labels


def _check_task(rows: set[tuple[str, ...]], several: bool) -> None:
    """Check the declared task against the labels: with a wrong task a network would learn nonsense."""
    if several and all(len(row) <= 1 for row in rows):
        raise HeadstartError(
            "index_images.task is multi_label, but no row has more than one label; set it to "
            "single_label."
        )
    words = {word for row in rows for label in row for word in label.split()}
    if not several and len(words) < len(rows):
        raise HeadstartError(
            f"index_images.task is single_label, but the {len(rows)} different labels are made of "
            f"only {len(words)} words: they look like several tags a picture, separated by spaces. "
            "Set index_images.task to multi_label, or write the labels without spaces."
        )
