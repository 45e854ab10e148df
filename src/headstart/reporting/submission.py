"""The rows of a competition's submission: which id stands for which picture file.

A file's id is its name without folder and without the suffix of a picture. Ids are text: 007 and 7 are
different ids.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from headstart.pictures.names import parts_of
from headstart.project.errors import HeadstartError

N_SHOWN = 5  # ids or files that an error message lists


class Row(NamedTuple):
    """One row of a submission."""

    id: str  # as it is written
    path: str  # of the picture file


class Sample(NamedTuple):
    """What a competition's sample submission asks for."""

    columns: list[str]  # in the order of the sample, the id column included
    ids: list[str]  # unchanged cells, in the order of the sample


def parse_sample(text: str, id_column: str, value_columns: Sequence[str]) -> Sample:
    """Read a sample submission, a CSV with a header; its values are ignored.

    Args:
        text: the whole table.
        id_column: name of its id column.
        value_columns: names of all its other columns, in any order.

    Raises:
        ValueError: a column is missing, unknown or duplicated.
    """
    reader = csv.DictReader(io.StringIO(text))
    columns = list(reader.fieldnames or [])
    if id_column not in columns:
        raise HeadstartError(
            f"write_submission.id_column is {id_column!r}, but the sample submission has no such "
            f"column; its columns: {_some(columns)}."
        )
    wanted = [id_column, *value_columns]
    missing = [name for name in wanted if name not in columns]
    too_many = [name for name in columns if name not in wanted]
    too_many += [name for name in wanted if columns.count(name) > 1]
    if missing or too_many:
        raise HeadstartError(
            f"besides {id_column!r}, the sample submission must have exactly the columns of the "
            f"predictions; missing: {_some(missing)}; too many: {_some(too_many)}."
        )
    return Sample(columns, [row[id_column] or "" for row in reader])


def rows_of_files(paths: Iterable[str]) -> list[Row]:
    """One row per file, sorted as numbers if all ids are whole numbers, else as text.

    Raises:
        ValueError: files in two folders, or of two formats, share an id.
    """
    by_id = _grouped(paths, _stem)
    if several := [_claim(name, files) for name, files in by_id.items() if len(files) > 1]:
        raise HeadstartError(
            f"each id of a submission must be of one file, but {len(several)} ids are of several "
            f"files of test: {_some(sorted(several))}; rename the files, or set "
            "write_submission.sample."
        )
    rows = [Row(name, files[0]) for name, files in by_id.items()]
    if all(name.isdecimal() for name in by_id):
        return sorted(rows, key=lambda row: (int(row.id), row.id))
    return sorted(rows)


def rows_of_sample(ids: Sequence[str], paths: Iterable[str]) -> list[Row]:
    """One row per id of a sample submission, in its order; the id with or without a file suffix.

    A cell of the sample stands for the file with exactly this name. If there is none, it stands for
    the file with this id. If there is none either, the cell's suffix of a picture is removed first
    (the competition's pictures may have come in another format); an id such as scan.2 keeps its end.

    Args:
        ids: cells of the sample's id column.
        paths: of the files that have a prediction.

    Raises:
        ValueError: an id has no file among `paths` or several, or two ids mean the same file.
    """
    paths = list(paths)
    by_name, by_id = _grouped(paths, _name), _grouped(paths, _stem)

    def files_of(cell: str) -> list[str]:
        bare = by_id.get(_stem(cell), []) if parts_of(cell).suffix else []
        return by_name.get(cell) or by_id.get(cell) or bare

    found = {cell: files_of(cell) for cell in ids}
    if missing := [cell for cell, files in found.items() if not files]:
        raise HeadstartError(
            f"{len(missing)} of the {len(ids)} ids of the sample submission have no predicted "
            f"picture in test: {_some(missing)}."
        )
    if several := [_claim(cell, files) for cell, files in found.items() if len(files) > 1]:
        raise HeadstartError(
            f"{len(several)} ids of the sample submission match several files of test: "
            f"{_some(several)}; rename the files."
        )
    rows = [Row(cell, found[cell][0]) for cell in ids]
    cells: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        cells[row.path].append(row.id)
    if twice := [f"{path} by {' and '.join(of)}" for path, of in cells.items() if len(of) > 1]:
        raise HeadstartError(
            f"the sample submission must name each file only once, but names {len(twice)} files "
            f"several times: {_some(twice)}."
        )
    return rows


def _grouped(paths: Iterable[str], key: Callable[[str], str]) -> Mapping[str, list[str]]:
    """The paths of each key, sorted."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        groups[key(path)].append(path)
    return groups


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _stem(path: str) -> str:
    return parts_of(path).stem


def _claim(name: str, files: Sequence[str]) -> str:
    return f"{name} ({' and '.join(files)})"


def _some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - N_SHOWN} more" if len(names) > N_SHOWN else ""
    return (", ".join(map(repr, names[:N_SHOWN])) + more) if names else "none"
