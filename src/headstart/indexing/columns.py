"""Finds the columns of a table that name the picture and its label, by their names and cells."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from headstart.image_files.split_names import split_named
from headstart.indexing.table_rows import Cell, Table
from headstart.project.errors import HeadstartError
from headstart.project.short import listed

EVERY = "*"
"""As a label column: each column besides the id's is a class, with 1 where a picture has it, else 0."""

YES, NO = frozenset({"1", "1.0", "true"}), frozenset({"0", "0.0", "false"})  # in lower case

# In lower case without spaces, - and _; the likelier name comes first.
_ID_NAMES = (
    *("filename", "filepath", "imagefilename", "imagefile", "imagefilepath", "imagepath"),
    *("imagename", "imageid", "imageindex", "imgname", "imgpath", "imgid", "imageurl"),
    *("image", "images", "img", "picture", "photo", "file", "path", "isicid", "id", "name"),
)
_LABEL_NAMES = (
    *("label", "labels", "class", "classname", "classlabel", "labelname", "category"),
    *("categoryname", "categories", "classes", "tag", "tags", "target", "targets", "findinglabels"),
    *("breed", "species", "diagnosis", "dx", "cultivar", "disease", "grade", "classid", "labelid"),
    *("categoryid", "y"),
)
_GROUP_NAMES = (
    *("patientid", "patient", "subjectid", "subject", "participantid", "personid", "person"),
    *("lesionid", "lesion", "caseid", "studyid", "sessionid", "session", "videoid", "video"),
    *("groupid", "group", "individualid", "individual", "animalid"),
)
_SPLIT_NAMES = ("split", "splits", "dataset", "subset", "partition", "set", "phase", "usage")
_FILE_NAME = re.compile(r"\.[A-Za-z][A-Za-z0-9]{2,4}$")
_N_LOOKED_AT = 100  # rows


class Columns(NamedTuple):
    """The column of the ids, and that of the labels or `EVERY`; None where nothing hints at one."""

    id: str | None
    label: str | None


def guess_columns(columns: Sequence[str], rows: Sequence[Sequence[Cell]] = ()) -> Columns:
    """Which columns probably name the picture and its label.

    Known names decide first. Then the cells do: names of files are ids, and at least two columns
    that hold nothing but 0 and 1 are classes. Then a single column that is left is the label's.

    Args:
        columns: the header.
        rows: cells of some rows, in the order of `columns`; only the first 100 are looked at.
    """
    places = {name: i for i, name in enumerate(columns) if name}  # without a name: a row's number
    cells = {name: [row[i] for row in rows[:_N_LOOKED_AT]] for name, i in places.items()}
    id_column = _named(cells, _ID_NAMES) or next(
        filter(lambda c: _are_files(cells[c]), cells), None
    )
    others = [column for column in cells if column != id_column]
    label_column = _named(others, _LABEL_NAMES)
    if not label_column and len(others) > 1 and all(_are_flags(cells[column]) for column in others):
        label_column = EVERY
    if not label_column and id_column and len(others) == 1:
        label_column = others[0]
    return Columns(id_column, label_column)


def guess_group(columns: Sequence[str], rows: Sequence[Sequence[Cell]], used: Sequence[str]) -> str:
    """The column that probably names a picture's group, such as its patient; '' if there is none.

    Args:
        columns: the header.
        rows: cells of all rows, in the order of `columns`.
        used: columns that name the picture and its label.
    """
    column, cells = _column_named(_GROUP_NAMES, columns, rows, used)
    return column if 1 < len(set(cells)) < len(cells) else ""


def guess_split(columns: Sequence[str], rows: Sequence[Sequence[Cell]], used: Sequence[str]) -> str:
    """The column that names each picture's split; '' if there is none.

    Args:
        columns: the header.
        rows: cells of all rows, in the order of `columns`.
        used: columns that name the picture and its label.
    """
    column, cells = _column_named(_SPLIT_NAMES, columns, rows, used)
    splits = {split_named(cell) if isinstance(cell, str) else None for cell in cells}
    return column if "train" in splits and len(splits) > 1 and None not in splits else ""


def _column_named(
    names: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    used: Sequence[str],
) -> tuple[str, list[Cell]]:
    """The column besides `used` that has one of these names, and its cells; '' and none if none has."""
    column = _named([name for name in columns if name not in used], names)
    return (column, [row[columns.index(column)] for row in rows]) if column else ("", [])


def require_columns(table: Table, wanted: Mapping[str, str]) -> None:
    """Check that a table has columns, given by key below index_images.

    Raises:
        HeadstartError: it lacks one; the sentence guesses which one was meant.
    """
    missing = {key: name for key, name in wanted.items() if name not in table.columns}
    if not missing:
        return
    left = [column for column in table.columns if column not in wanted.values()]
    guess = guess_columns(table.columns, [row.cells for row in table.rows[:_N_LOOKED_AT]])
    guesses = {"id_column": guess.id, "label_column": guess.label}
    meant = []
    for key, name in missing.items():
        guessed = guesses.get(key)
        fits = guessed in left or guessed == EVERY
        only = left[0] if len(left) == len(missing) == 1 else None
        if found := _alike(name, left) or (guessed if fits else only):
            meant.append(f"index_images.{key}: {_yaml(found)}")
    if any(_FILE_NAME.search(column) for column in table.columns):
        advice = (
            "its first line seems to be a row, so write a line with the columns' names above it"
        )
    elif meant:
        advice = f"did you mean {' and '.join(meant)}?"
    else:
        keys = " and ".join(f"index_images.{key}" for key in missing)
        advice = f"set {keys} to columns that it has"
    raise HeadstartError(
        f"{table.name} has no column {', '.join(missing.values())} (it has "
        f"{listed(table.columns)}); {advice}{'' if advice.endswith('?') else '.'}"
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _yaml(name: str) -> str:
    return f'"{name}"' if name == EVERY else name


def _named(columns: Iterable[str], names: Sequence[str]) -> str | None:
    by_plain = {_plain(column): column for column in reversed(list(columns))}
    return next((by_plain[name] for name in names if name in by_plain), None)


def _alike(name: str, columns: Sequence[str]) -> str | None:
    """The column whose name is a slip of the pen away."""
    by_plain = {_plain(column): column for column in columns}
    found = difflib.get_close_matches(_plain(name), by_plain, n=1, cutoff=0.8)
    return by_plain[found[0]] if found else None


def _are_files(cells: Sequence[Cell]) -> bool:
    return bool(cells) and all(isinstance(c, str) and _FILE_NAME.search(c) for c in cells)


def _are_flags(cells: Sequence[Cell]) -> bool:
    return bool(cells) and all(isinstance(c, str) and c.lower() in YES | NO for c in cells)
