"""Labels from a table that `headstart init` finds beside the pictures, or is given."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from headstart.commands.choices import Findings
from headstart.commands.survey import Survey
from headstart.indexing.columns import EVERY, Columns, guess_columns, guess_group, guess_split
from headstart.indexing.groups import groups_by_column
from headstart.indexing.label_table import LabelsById, Separator, labels_by_id
from headstart.indexing.several_tables import joined, pattern_of, tables_named
from headstart.indexing.table_file import read_table
from headstart.indexing.table_paths import ANY, Place, by_path, is_clear, places
from headstart.indexing.table_rows import Table
from headstart.indexing.table_splits import splits_by_column
from headstart.project.errors import HeadstartError
from headstart.project.short import listed

_Task = dict[str, str]
"""index_images.task, and label_separator where it is not auto."""

_SEPARATORS: tuple[Separator, ...] = ("auto", "pipe", "semicolon", "comma")
N_TRIED = 100  # rows in which names of pictures are looked for
MAX_ELSEWHERE = 0.02  # pictures that a table labels in vain, by those that index-images finds


def candidates(tables: Sequence[str]) -> list[str]:
    """The tables, those of one name and depth in several folders as one; the nearest come first."""
    alike: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for path in tables:
        alike[path.count("/"), PurePosixPath(path).name].append(path)
    return [pattern_of(alike[key]) for key in sorted(alike)]


class OfTable(NamedTuple):
    """What a table says.

    Attributes:
        findings: what the rule of `choose` needs.
        labels: of each picture that the table names, without contradiction.
    """

    findings: Findings
    labels: Mapping[str, tuple[str, ...]]


def of_table(looked: Survey, source: str, name: str) -> OfTable:
    """Labels from a table, or from several of one name.

    Args:
        looked: the pictures.
        source: dataset.source.
        name: path of the table, or pattern of the paths of several.

    Raises:
        HeadstartError: the file is no table, or its columns or ids cannot be understood.
    """
    named = tables_named(name, {*looked.tables, name} if "*" not in name else looked.tables)
    tables = [read_table((looked.root / path).read_bytes(), path) for path in named]
    first = tables[0]
    if _names_a_picture(first.columns, looked.paths):
        raise HeadstartError(
            f"{first.name} has no line with names of columns: its first line is "
            f"{','.join(first.columns)!r}, which names a picture. Put a line such as file,label above "
            "it, and a comma (or a tab) between the cells."
        )
    id_column, label_column = _columns(first, looked.paths)
    if not id_column or not label_column:
        raise HeadstartError(
            f"{first.name} has the columns {', '.join(first.columns)}: none is known to name the "
            f"{'picture' if not id_column else 'label'}. Set index_images.id_column and "
            "index_images.label_column in params.yaml."
        )
    table = joined(tables, name, id_column)
    task, said = _task_and_labels(table, id_column, label_column)
    place, where = _place(said.labels, name, looked.paths)
    rows = by_path(said.labels, name, *place, looked.paths)
    said_of = {
        path: next(iter(rows[path])) for path in looked.paths if len(rows.get(path, ())) == 1
    }
    cells = [row.cells for row in table.rows]
    used = id_column, label_column
    split_of = {path: looked.layout.split_of(path) for path in looked.paths}
    if split := "" if looked.layout.has_train() else guess_split(table.columns, cells, used):
        of_path = by_path(splits_by_column(table, id_column, split), name, *place, looked.paths)
        split_of = {path: next(iter(of_path.get(path, {None}))) for path in looked.paths}
    splits = {split_of[path] for path in said_of} | ({"test"} & set(split_of.values()))
    aside = {"valid", "test"} if "valid" in splits else {"test"}
    to_train_on = [names for path, names in said_of.items() if split_of[path] not in aside]
    counts = Counter(label for names in to_train_on for label in names)
    if len(counts) < 2:
        raise HeadstartError(f"{name} gives the pictures {len(counts)} classes, 2 are needed.")
    n_labelled = sum(map(bool, to_train_on))
    labels = {
        "labels": name, "id_column": id_column, "label_column": label_column,
        "id_suffix": place.suffix, "csv_folder": place.folder, **task,
    }  # fmt: skip
    per_class = dict(counts.most_common())
    given = frozenset(filter(None, splits))
    if split:
        labels["split_column"] = split
    n_groups, group = 0, guess_group(table.columns, cells, used)
    if group and "valid" not in given:
        labels["group_column"] = group
        n_groups = len(set().union(*groups_by_column(table, id_column, group).values()))
    why = f"by {name}{where}"
    found = Findings(
        source, labels, why, n_labelled, per_class, given, looked.short_px[1], n_groups
    )
    return OfTable(found, said_of)


def _place(ids: Collection[str], name: str, paths: Sequence[str]) -> tuple[Place, str]:
    """Where the pictures of the ids of table `name` lie, and what is told of that.

    Raises:
        HeadstartError: nowhere, or in several places, and names alone do not tell which is meant.
    """
    fits = places(ids, paths)
    if not fits:
        raise HeadstartError(
            f"no id of {name} names a picture: its first is {next(iter(ids))!r}, the first picture "
            f"{paths[0]!r}."
        )
    place, n_there = fits.most_common(1)[0]
    if len({fit.folder for fit in fits}) > 1 and is_clear(ids, place.suffix, paths):
        return Place(ANY, place.suffix), ", in any folder"
    return place, _elsewhere(ids, name, place, n_there, paths)


def _columns(table: Table, paths: Sequence[str]) -> Columns:
    """The columns of ids and labels by their names, or, if those name no picture, by their cells."""
    rows = [row.cells for row in table.rows]
    guess = guess_columns(table.columns, rows)
    if guess.id and _n_named(table, guess.id, paths):
        return guess
    n_named = {column: _n_named(table, column, paths) for column in table.columns}
    best = max(n_named, key=lambda column: n_named[column])
    if n_named[best] < min(N_TRIED, len(rows)) / 2:
        return guess
    header = ["file name" if name == best else name for name in table.columns]
    left = ["" if name == guess.id else name for name in header]  # a column without a name is none
    return Columns(best, guess_columns(left, rows).label)


def _n_named(table: Table, column: str, paths: Sequence[str]) -> int:
    """How many pictures the first rows name in a column."""
    place = table.columns.index(column)
    cells = [row.cells[place] for row in table.rows[:N_TRIED]]
    ids = {cell for cell in cells if isinstance(cell, str) and cell}
    return places(ids, paths).total()


def _names_a_picture(columns: Sequence[str], paths: Sequence[str]) -> bool:
    """Whether what should be names of columns begins with the name of a picture."""
    words = {word for column in columns for word in (column, column.partition(" ")[0])}
    names = {PurePosixPath(word).name for word in words if "." in word}
    return any(PurePosixPath(path).name in names for path in paths)


def _elsewhere(
    ids: Collection[str], name: str, place: Place, n_there: int, paths: Collection[str]
) -> str:
    """What is told of ids that name pictures in another place, where index-images does not look.

    Args:
        ids: of the table.
        name: of the table.
        place: where index-images is to look.
        n_there: pictures that it finds there.
        paths: of all pictures.

    Raises:
        HeadstartError: they are too many to leave out.
    """
    known = set(paths)
    left = [one for one in ids if _path(one, place) not in known]
    others = places(left, known)
    if not (n := others.total()):
        return ""
    pictures = "1 picture" if n == 1 else f"{n} pictures"
    said = f"{_shown(place)} leaves out {len(left)} of {len(ids)} ids and {pictures}"
    if n < max(2, MAX_ELSEWHERE * n_there):
        return f"; {said}"
    second = others.most_common(1)[0][0]
    example = next(path for one in left if (path := _path(one, second)) in known)
    counts = [(place, n_there), *others.most_common()]
    raise HeadstartError(
        f"The ids of {name} name pictures in several places "
        f"({listed(f'{n} in {_shown(other)}' for other, n in counts)}), but index-images looks in one: "
        f"{said}. In {name}, write each id as the path of its picture, such as {example}."
    )


def _path(name: str, place: Place) -> str:
    """The path of the picture that an id would name."""
    return str(PurePosixPath(place.folder) / f"{name}{place.suffix}")


def _shown(place: Place) -> str:
    """The pictures that ids may name there, such as train/*.jpg."""
    return str(PurePosixPath(place.folder) / f"*{place.suffix}")


def _task_and_labels(table: Table, id_column: str, label_column: str) -> tuple[_Task, LabelsById]:
    """single_label if each row has one label, else multi_label, with what is between the labels."""
    columns = id_column, label_column
    try:
        return {"task": "single_label"}, labels_by_id(table, *columns, several=False)
    except HeadstartError as error:
        single = error
    errors = []
    for separator in _SEPARATORS:
        try:
            said = labels_by_id(table, *columns, several=True, separator=separator)
        except HeadstartError as error:
            errors.append(error)
            continue
        sign = {} if separator == "auto" else {"label_separator": separator}
        return {"task": "multi_label", **sign}, said
    raise errors[0] if label_column == EVERY else single
