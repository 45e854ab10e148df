"""Finds labels, splits and groups of the pictures where section `index_images` says they are."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from headstart.indexing.class_folders import doubtful_classes
from headstart.indexing.groups import Names, groups_by_column, groups_by_regex, require_groups
from headstart.indexing.index import IndexImagesError
from headstart.indexing.label_table import labels_by_id
from headstart.indexing.labelling import Meaning, Meanings, Problem, from_folders, from_table
from headstart.indexing.layout import INIT, checked_layout, layout_of
from headstart.indexing.name_labels import from_names
from headstart.indexing.params import NO_TABLE, IndexImagesParams
from headstart.indexing.several_tables import joined, tables_named
from headstart.indexing.table_file import read_table
from headstart.indexing.table_paths import by_path, require_all_tables
from headstart.indexing.table_rows import Table
from headstart.indexing.table_splits import splits_by_column


class Said(NamedTuple):
    """What folders, names or the table say of the pictures.

    Attributes:
        meanings: labels and split by path.
        problems: of paths that say nothing, or contradict themselves.
        groups: the names of the groups by path; empty: nothing is grouped.
        notes: sentences for the user on how it was read.
    """

    meanings: dict[str, Meaning]
    problems: list[Problem]
    groups: Names
    notes: tuple[str, ...]


def find_meanings(
    files: Mapping[str, bytes], paths: Sequence[str], params: IndexImagesParams
) -> Said:
    """What is said of `paths`, the pictures among `files`.

    Raises:
        HeadstartError: the folders or the table are not as `params` say.
    """
    table = None
    if params.labels in NO_TABLE:
        layout = checked_layout(paths, params.split, params.class_folder)
        given, notes = params.split == "given", layout.notes()
        if params.labels == "folders":
            meanings, problems = from_folders(paths, layout, given)
            notes += () if params.group_regex else doubtful_classes(layout, paths)
        else:
            meanings, problems = from_names(paths, params.name_regex, layout, given)
    else:
        table = _table(files, paths, params)
        (meanings, problems), notes = _of_table(table, files, paths, params)
    return Said(meanings, problems, _groups(table, list(meanings), params), notes)


def _table(files: Mapping[str, bytes], paths: Sequence[str], params: IndexImagesParams) -> Table:
    if not (names := tables_named(params.labels, files)):
        like = get_close_matches(params.labels, sorted(set(files) - set(paths)), n=1)
        guess = f"; did you mean {like[0]}?" if like else "."
        raise IndexImagesError(
            f"index_images.labels is {params.labels!r}, but the images folder has no such file; "
            f"it must be folders, names, or the path of a table below dataset.source{guess} Or {INIT}."
        )
    tables = [read_table(files[name], name) for name in names]
    return joined(tables, params.labels, params.id_column)


def _of_table(
    table: Table, files: Mapping[str, bytes], paths: Sequence[str], params: IndexImagesParams
) -> tuple[Meanings, tuple[str, ...]]:
    several = params.task == "multi_label"
    columns = (params.id_column, params.label_column)
    no_classes = {params.group_column, params.split_column} - {""}
    said = labels_by_id(table, *columns, several, params.label_separator, no_classes)
    place = params.labels, params.csv_folder, params.id_suffix
    rows = by_path(said.labels, *place, paths)
    tables = tables_named(params.labels, files)
    require_all_tables(tables, files, set(paths) - rows.keys())
    given = params.split == "given"
    layout = layout_of(paths, given)
    notes = (*said.notes, *([layout.masks.note()] if layout.masks else []))
    splits = None
    if params.split_column:
        of_id = splits_by_column(table, params.id_column, params.split_column)
        splits = by_path(of_id, *place, paths)
        if not given and any("valid" in of_one for of_one in splits.values()):
            raise IndexImagesError(
                f"index_images.split is stratified, but column {params.split_column!r} of "
                f"{params.labels} already says what is valid: set it to given, or split_column to ''."
            )
    return from_table(paths, rows, layout, given, may_be_empty=several, splits=splits), notes


def _groups(table: Table | None, paths: Sequence[str], params: IndexImagesParams) -> Names:
    if params.group_regex:
        names = groups_by_regex(paths, params.group_regex)
        require_groups(names, paths, "group_regex", params.group_regex)
        return names
    if table is None or not params.group_column:
        return {}
    rows = groups_by_column(table, params.id_column, params.group_column)
    names = by_path(rows, params.labels, params.csv_folder, params.id_suffix, paths)
    require_groups(names, paths, "group_column", params.group_column)
    return names
