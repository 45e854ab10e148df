"""Where the labels of a folder come from: its class folders, a table in it, or the files' names."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import click

from headstart.commands.choices import Findings
from headstart.commands.survey import Survey
from headstart.indexing.class_folders import are_groups, nested_folders
from headstart.indexing.columns import EVERY, guess_columns
from headstart.indexing.label_table import LabelsById, labels_by_id
from headstart.indexing.layout import Layout
from headstart.indexing.several_tables import joined, pattern_of, tables_named
from headstart.indexing.table_file import read_table
from headstart.indexing.table_paths import Place, by_path, places
from headstart.indexing.table_rows import Table
from headstart.project.errors import HeadstartError
from headstart.project.short import listed

NAME_REGEX = r"^(.+?)[-_. ]*\d+\.\w+$"  # cat.0.jpg, Abyssinian_12.jpg
N_NAMED = 60  # characters of names in a sentence
MAX_ELSEWHERE = 0.02  # pictures that a table labels in vain, by those that index-images finds
# What cameras, telephones and programs put before a number; in lower case.
NO_CLASSES = {
    *("img", "image", "dsc", "dscn", "dscf", "pict", "pxl", "mvi", "vid", "gopr", "dji"),
    *("photo", "picture", "frame", "screenshot", "screen shot", "scan", "file", "train", "test"),
}


def findings_of(looked: Survey, source: str, table: str, level_is_said: bool = False) -> Findings:
    """What the rule of `choose` needs, from class folders, the table, or names; tried in this order.

    Args:
        looked: the pictures.
        source: dataset.source.
        table: path of the table that the user named; '': none, and class folders come first.
        level_is_said: whether the user said which of nested folders are the classes.

    Raises:
        ClickException: nothing gives the pictures at least two classes, or it is not clear which of
            nested folders do.
    """
    if not looked.paths:
        others = ", ".join(f"{n} {suffix}" for suffix, n in looked.others.items())
        raise click.ClickException(
            f"{looked.origin} holds no pictures{f', only {others} files' if others else ''}."
        )
    if not table and len(looked.classes) > 1:
        return _of_folders(looked, source, level_is_said)
    problems = []
    for name in [table] if table else _candidates(looked.tables):
        try:
            return _of_table(looked, source, name)
        except HeadstartError as error:
            problems.append(str(error))
    if not table and (found := _of_names(looked, source)):
        return found
    raise click.ClickException(
        "\n".join([_no_classes(looked), *problems]) if not table else "\n".join(problems)
    )


def _findings(
    looked: Survey, source: str, labels: Mapping[str, Any], why: str, per_class: Mapping[str, int],
    n_labelled: int | None = None, splits: frozenset[str] | None = None,
) -> Findings:  # fmt: skip
    n = sum(per_class.values()) if n_labelled is None else n_labelled
    given = frozenset(looked.splits) if splits is None else splits
    return Findings(source, labels, why, n, per_class, given, looked.short_px[1])


def _of_folders(looked: Survey, source: str, level_is_said: bool) -> Findings:
    """Labels from class folders.

    Raises:
        ClickException: either of nested folders may be the classes, and the user did not say which; or
            no picture of valid is in a class of train.
    """
    layout = looked.layout
    nested = None if looked.packing else nested_folders(layout, looked.paths)
    if nested and not level_is_said and not nested.classes():
        raise click.ClickException(
            f"{looked.origin} has folders in folders, and either may be the classes: "
            f"{_counted(nested.upper)}, or {_counted(nested.lower)} below them. Say which: headstart "
            "init with --class-folder first, or --class-folder last."
        )
    unlike = {name: n for (split, name), n in looked.unlike_train.items() if split == "valid"}
    if unlike and sum(unlike.values()) == looked.splits["valid"]:
        where = f"they lie in {_named(filter(None, unlike))}" if any(unlike) else "they lie in none"
        raise click.ClickException(
            f"{looked.origin} has {looked.splits['valid']} pictures in valid, none in a class folder "
            f"of train ({_named(looked.classes)}): {where}. Put them into folders of those names, or "
            "leave them out: valid is then drawn from train."
        )
    labels, why = {"labels": "folders"}, "a folder a class"
    if layout.class_folder == "last":
        labels["class_folder"] = "last"
        why = "the folder that holds a picture is its class"
    others = nested.others(layout.class_folder) if nested else ()
    if not others or not are_groups(others):
        return _findings(looked, source, labels, why, looked.classes)
    labels["group_regex"] = _folder_regex(layout, below=int(layout.class_folder == "first"))
    place = "below" if layout.class_folder == "first" else "above"
    found = _findings(looked, source, labels, f"{why}, the one {place} its group", looked.classes)
    return replace(found, n_groups=len(others))


def _folder_regex(layout: Layout, below: int) -> str:
    """A regular expression for the folder that is nearest to the source, or so many below it."""
    above = len(layout.wrapping) + (1 + bool(layout.inside) if layout.has_train() else 0)
    return "^" + "[^/]+/" * (above + below) + "([^/]+)/"


def _counted(names: Collection[str]) -> str:
    return f"{len(names)} ({_named(names)})"


def _named(names: Iterable[str]) -> str:
    return listed(names, N_NAMED)


def _no_classes(looked: Survey) -> str:
    named = (
        f"only the class folder {_named(looked.classes)}" if looked.classes else "no class folders"
    )
    return (
        f"{looked.origin} has {len(looked.paths)} pictures but {named}; at least two classes are "
        "needed. Put the pictures into a folder for each class, or give a table with a column of file "
        f"names and a column of labels: headstart init TABLE.{_annotated(looked)}"
    )


def _annotated(looked: Survey) -> str:
    """A sentence on files of annotations, if about every picture has one."""
    for suffix in (".txt", ".xml", ".json"):
        if (n := looked.others.get(suffix, 0)) > 0.5 * len(looked.paths):
            return (
                f" Its {n} {suffix} files seem to say where things are in the pictures, which is not "
                "read: headstart learns what a whole picture shows."
            )
    return ""


def _of_names(looked: Survey, source: str) -> Findings | None:
    """Labels in the files' names, if all names have the form and few enough classes come out.

    IMG_0001.jpg beside DSC_0001.jpg are two cameras, not two classes.
    """
    names = [PurePosixPath(path).name for path in looked.paths if not _is_test(looked, path)]
    found = [re.search(NAME_REGEX, name) for name in names]
    per_class = Counter(match[1] for match in found if match)
    of_cameras = any(name.lower() in NO_CLASSES for name in per_class)
    if not all(found) or of_cameras or not 2 <= len(per_class) <= len(names) / 4:
        return None
    labels = {"labels": "names", "name_regex": NAME_REGEX}
    return _findings(looked, source, labels, "the name before the number", per_class)


def _is_test(looked: Survey, path: str) -> bool:
    return looked.layout.parts(path)[0] == "test"


def _candidates(tables: Sequence[str]) -> list[str]:
    """The tables, those of one name and depth in several folders as one; the nearest come first."""
    alike: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for path in tables:
        alike[path.count("/"), PurePosixPath(path).name].append(path)
    return [pattern_of(alike[key]) for key in sorted(alike)]


def _of_table(looked: Survey, source: str, name: str) -> Findings:
    """Labels from a table, or from several of one name.

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
    id_column, label_column = guess_columns(first.columns, [row.cells for row in first.rows])
    if not id_column or not label_column:
        raise HeadstartError(
            f"{first.name} has the columns {', '.join(first.columns)}: none is known to name the "
            f"{'picture' if not id_column else 'label'}. Set index_images.id_column and "
            "index_images.label_column in params.yaml."
        )
    table = joined(tables, name, id_column)
    task, said = _task_and_labels(table, id_column, label_column)
    fits = places(said.labels, looked.paths).most_common(1)
    if not fits:
        raise HeadstartError(
            f"no id of {name} names a picture: its first is {next(iter(said.labels))!r}, the first "
            f"picture {looked.paths[0]!r}."
        )
    place, n_there = fits[0]
    elsewhere = _elsewhere(said.labels, name, place, n_there, looked.paths)
    folder, suffix = place
    rows = by_path(said.labels, name, folder, suffix, looked.paths)
    said_of = {
        path: next(iter(rows[path])) for path in looked.paths if len(rows.get(path, ())) == 1
    }
    split_of = {path: looked.layout.split_of(path) for path in looked.paths}
    splits = {split_of[path] for path in said_of} | ({"test"} & set(split_of.values()))
    aside = {"valid", "test"} if "valid" in splits else {"test"}
    to_train_on = [names for path, names in said_of.items() if split_of[path] not in aside]
    counts = Counter(label for names in to_train_on for label in names)
    if len(counts) < 2:
        raise HeadstartError(f"{name} gives the pictures {len(counts)} classes, 2 are needed.")
    n_labelled = sum(map(bool, to_train_on))
    labels = {
        "labels": name, "id_column": id_column, "label_column": label_column, "id_suffix": suffix,
        "csv_folder": folder, "task": task,
    }  # fmt: skip
    per_class = dict(counts.most_common())
    given = frozenset(filter(None, splits))
    return _findings(looked, source, labels, f"by {name}{elsewhere}", per_class, n_labelled, given)


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


def _task_and_labels(table: Table, id_column: str, label_column: str) -> tuple[str, LabelsById]:
    """single_label if each row has one label, else multi_label."""
    try:
        return "single_label", labels_by_id(table, id_column, label_column, several=False)
    except HeadstartError as single:
        try:
            return "multi_label", labels_by_id(table, id_column, label_column, several=True)
        except HeadstartError as several:
            raise (several if label_column == EVERY else single) from None
