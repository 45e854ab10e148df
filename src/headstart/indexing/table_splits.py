"""Finds the split of each picture in a column of the table of labels."""

from collections import defaultdict

from headstart.image_files.split_names import SplitName, split_named
from headstart.indexing.columns import require_columns
from headstart.indexing.table_rows import MISSING, Table
from headstart.project.errors import HeadstartError


def splits_by_column(table: Table, id_column: str, split_column: str) -> dict[str, set[SplitName]]:
    """The splits in the rows of each id; an id whose cells are missing is absent.

    Args:
        table: of labels.
        id_column: name of the column of ids.
        split_column: name of the column of splits, whose cells have any usual name of them.

    Raises:
        HeadstartError: the table has no such column, or a cell is no name of a split.
    """
    require_columns(table, {"split_column": split_column})
    found: defaultdict[str, set[SplitName]] = defaultdict(set)
    for row in table.rows:
        cell = table.text(row, split_column)
        if cell in MISSING:
            continue
        if (split := split_named(cell)) is None:
            raise HeadstartError(
                f"column {split_column!r} holds {cell!r} in {table.place(row)}, but "
                "index_images.split_column needs a usual name of a split: train, valid (val, "
                "validation, dev) or test."
            )
        found[table.text(row, id_column)].add(split)
    return dict(found)
