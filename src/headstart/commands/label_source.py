"""Where the labels of a folder come from: its class folders, a table in it, or the files' names."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import click

from headstart.commands.choices import Findings
from headstart.commands.survey import Survey
from headstart.commands.table_labels import candidates, of_table
from headstart.indexing.class_folders import are_groups, are_parts
from headstart.indexing.layout import Layout
from headstart.project.errors import HeadstartError
from headstart.project.short import listed

NAME_REGEX = r"^(.+?)[-_. ]*\d+\.\w+$"  # cat.0.jpg, Abyssinian_12.jpg
N_NAMED = 60  # characters of names in a sentence
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
        ClickException: nothing gives the pictures at least two classes; it is not clear what does; or
            most classes have a single picture.
    """
    found = _labels_of(looked, source, table, level_is_said)
    n, n_classes = sum(found.per_class.values()), len(found.per_class)
    if n < 2 * n_classes:
        are_numbers = all(map(_is_number, found.per_class))
        raise click.ClickException(
            f"{looked.origin} has {n_classes} classes ({found.reason}) for {n} pictures, such as "
            f"{_named(found.per_class)}: there is nothing to learn from classes of one picture. "
            + ("headstart learns classes, not numbers: write a class for each range of them, such as "
               "low and high." if are_numbers else "Choose labels that several pictures share.")
        )  # fmt: skip
    return found


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def _labels_of(looked: Survey, source: str, table: str, level_is_said: bool) -> Findings:
    """The same, however small the classes are."""
    if not looked.paths:
        others = ", ".join(f"{n} {suffix}" for suffix, n in looked.others.items())
        raise click.ClickException(
            f"{looked.origin} holds no pictures{f', only {others} files' if others else ''}."
        )
    are_classes = level_is_said or bool(looked.packing) or not are_parts(looked.classes)
    if not table and len(looked.classes) > 1 and are_classes:
        return _of_folders(looked, source, level_is_said)
    problems = []
    for name in [table] if table else candidates(looked.tables):
        try:
            return of_table(looked, source, name).findings
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
    layout, nested = looked.layout, looked.nested
    if not level_is_said:
        _require_one_source_of_labels(looked, source)
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


def _require_one_source_of_labels(looked: Survey, source: str) -> None:
    """Refuse class folders beside a table that divides the pictures in another way.

    Raises:
        ClickException: it names both, and how to say which is meant.
    """
    for name in candidates(looked.tables):
        try:
            table = of_table(looked, source, name)
        except HeadstartError:
            continue  # it is about something else
        of_folder: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
        for path, labels in table.labels.items():
            if folders := looked.layout.parts(path)[1]:
                of_folder[folders[0]].add(labels)
        kinds = {labels for of_one in of_folder.values() for labels in of_one}
        is_same = len(kinds) == len(of_folder) == sum(map(len, of_folder.values()))
        if not is_same and len(table.labels) > 0.5 * len(looked.paths):
            by_table = "unpack it and headstart init TABLE"
            if not looked.archive:
                by_table = f"headstart init {looked.root / name}"
            raise click.ClickException(
                f"{looked.origin} has folders that may be the classes ({_named(looked.classes)}), but "
                f"{name} gives the pictures {_counted(table.findings.per_class)}. Say which: "
                f"{by_table}, or headstart init with --class-folder first."
            )


def _folder_regex(layout: Layout, below: int) -> str:
    """A regular expression for the folder that is nearest to the source, or so many below it."""
    above = len(layout.wrapping) + (1 + bool(layout.inside) if layout.has_train() else 0)
    return "^" + "[^/]+/" * (above + below) + "([^/]+)/"


def _counted(names: Collection[str]) -> str:
    return f"{len(names)} ({_named(names)})"


def _named(names: Iterable[str]) -> str:
    return listed(names, N_NAMED)


def _no_classes(looked: Survey) -> str:
    if len(looked.classes) > 1:
        return (
            f"The folders of {looked.origin} ({_named(looked.classes)}) seem to be parts of one "
            "collection, and no classes. If they are classes, add --class-folder first; otherwise give "
            "a table with a column of file names and a column of labels: headstart init TABLE."
        )
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
