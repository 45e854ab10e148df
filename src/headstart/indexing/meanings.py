"""Finds labels, splits and groups of the pictures where section `index_images` says they are."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from headstart.indexing.groups import Names, groups_by_column, groups_by_regex, require_groups
from headstart.indexing.index import IndexImagesError
from headstart.indexing.label_table import labels_by_id
from headstart.indexing.labelling import Meaning, Problem, from_folders, from_table
from headstart.indexing.layout import INIT, checked_layout
from headstart.indexing.name_labels import from_names
from headstart.indexing.params import IndexImagesParams
from headstart.indexing.table_file import read_table
from headstart.indexing.table_paths import by_path, require_one_table


def find_meanings(
    files: Mapping[str, bytes], paths: Sequence[str], params: IndexImagesParams
) -> tuple[dict[str, Meaning], list[Problem], tuple[str, ...]]:
    """The labels and splits of `paths`, problems, and notes; from folders, names or the table."""
    given = params.split == "given"
    if params.labels in ("folders", "names"):
        layout = checked_layout(paths, params.split)
        if params.labels == "folders":
            return *from_folders(paths, layout, given), layout.notes()
        return *from_names(paths, params.name_regex, layout, given), layout.notes()
    if params.labels not in files:
        like = get_close_matches(params.labels, sorted(set(files) - set(paths)), n=1)
        guess = f"; did you mean {like[0]}?" if like else "."
        raise IndexImagesError(
            f"index_images.labels is {params.labels!r}, but the images folder has no such file; "
            f"it must be folders, names, or the path of a table below dataset.source{guess} Or {INIT}."
        )
    several = params.task == "multi_label"
    columns = (params.id_column, params.label_column)
    table = read_table(files[params.labels], params.labels)
    no_classes = {params.group_column} - {""}
    said = labels_by_id(table, *columns, several, params.label_separator, no_classes)
    rows = by_path(said.labels, params.labels, params.csv_folder, params.id_suffix, paths)
    require_one_table(params.labels, files, set(paths) - rows.keys())
    return *from_table(paths, rows, given, may_be_empty=several), said.notes


def find_groups(
    files: Mapping[str, bytes], paths: Collection[str], params: IndexImagesParams
) -> Names:
    """The names of the groups of `paths`, from the paths themselves or from the table."""
    if params.group_regex:
        names = groups_by_regex(paths, params.group_regex)
        require_groups(names, paths, "group_regex", params.group_regex)
        return names
    if not params.group_column:
        return {}
    table = read_table(files[params.labels], params.labels)
    rows = groups_by_column(table, params.id_column, params.group_column)
    names = by_path(rows, params.labels, params.csv_folder, params.id_suffix, paths)
    require_groups(names, paths, "group_column", params.group_column)
    return names
