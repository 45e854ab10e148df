"""Index the pictures: size, copies, labels and split of each, and every problem found."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Literal, NamedTuple, Self

import pandas as pd
from pydantic import AfterValidator, Field, field_validator, model_validator

from headstart.image_files.tree import BelowImages
from headstart.indexing.findings import all_in_one, left_aside, no_pictures, packages_needed
from headstart.indexing.group_checks import check_drawn, within_one_split
from headstart.indexing.groups import (
    Names,
    groups_by_column,
    groups_by_regex,
    join_groups,
    require_groups,
)
from headstart.indexing.index import Index
from headstart.indexing.label_table import Separator, labels_by_id
from headstart.indexing.labelling import (
    Meaning,
    Problem,
    agreed,
    from_folders,
    from_table,
)
from headstart.indexing.layout import INIT, checked_layout
from headstart.indexing.name_labels import checked_regex, from_names
from headstart.indexing.splits import SplitRule, assign
from headstart.indexing.table_file import read_table
from headstart.indexing.table_paths import by_path, require_one_table
from headstart.kept.once import Known, NothingKnown
from headstart.labels.labels import Labels
from headstart.labels.scoring_note import scoring_note
from headstart.labels.task import Task
from headstart.pictures.facts import Facts, find_facts
from headstart.pictures.names import is_picture
from headstart.project.errors import HeadstartError
from headstart.project.report import Report
from headstart.project.section import Section
from headstart.project.workers import in_order


class IndexImagesParams(Section):
    """Section `index_images`: where labels and splits come from."""

    labels: BelowImages = Field(
        min_length=1,
        description="folders, names (of the files), or the path of a table below the images folder",
    )
    id_column: str = Field(min_length=1, description="column of the table that names the picture")
    label_column: str = Field(
        min_length=1,
        description='column of the table with the label or the labels; "*": each other column is a '
        "class, with 1 where a picture has it and 0 elsewhere",
    )
    label_separator: Separator = Field(
        description="what is between the labels of a cell: space, comma, semicolon, pipe; none: the "
        "cell is one label; auto: as task says, if the cells agree"
    )
    id_suffix: str = Field(
        description="what follows the table's id in the file name, such as .jpg; '': nothing"
    )
    csv_folder: BelowImages = Field(
        description="folder of the table's pictures below the images folder; '': the images folder "
        "or the table's own"
    )
    name_regex: Annotated[str, AfterValidator(checked_regex)] = Field(
        description="regular expression, searched in the files' names, whose first group is the "
        "class; '' if labels is not names"
    )
    task: Task = Field(description="single_label or multi_label")
    split: Literal["given", "stratified"] = Field(
        description="given: by the folders train, valid, test; stratified: drawn"
    )
    valid_frac: float = Field(
        ge=0, lt=1, description="stratified: fraction of the pictures in valid, in [0, 1)"
    )
    test_frac: float = Field(
        ge=0, lt=1, description="stratified: fraction of the pictures in test, in [0, 1)"
    )
    n_folds: int = Field(
        ge=0,
        description="stratified: number of folds, one of which is valid, at least 0 and not 1; "
        "0: use valid_frac instead",
    )
    fold: int = Field(
        ge=0,
        description="number of the fold that is valid, at least 0, below n_folds; 0 without folds",
    )
    seed: int = Field(ge=0, description="stratified: seed of the split, at least 0")
    group_regex: str = Field(
        description="regular expression that finds a picture's group in its path below the images "
        "folder: its first (...), or all of it; '': no groups"
    )
    group_column: str = Field(
        description="column of the table with the picture's group, such as its patient, or ''"
    )
    n_max_per_class: int = Field(
        ge=0,
        description="maximum number of pictures per class, to try out a big set quickly, at least 0; "
        "0: all",
    )
    on_problem: Literal["stop", "set_aside"] = Field(
        description="stop: end the run; set_aside: leave the picture out and list it in problems.csv"
    )

    @field_validator("group_regex")
    @classmethod
    def _compiles(cls, regex: str) -> str:
        try:
            re.compile(regex)
        except re.error as error:
            raise ValueError(f"it must be a regular expression, but {error}") from None
        return regex

    @model_validator(mode="after")
    def _groups(self) -> Self:
        if self.group_column and self.group_regex:
            raise ValueError(
                f"group_column is {self.group_column!r} and group_regex {self.group_regex!r}: one of "
                "them must be ''"
            )
        if self.group_column and self.labels == "folders":
            raise ValueError(
                f"group_column is {self.group_column!r}, but labels is folders, so there is no table: "
                "use group_regex, or set labels to the path of a table"
            )
        return self

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.valid_frac + self.test_frac >= 1:
            raise ValueError(
                f"valid_frac is {self.valid_frac} and test_frac {self.test_frac}: their sum must be "
                "below 1, so that something is left to train on"
            )
        if self.n_folds == 1:
            raise ValueError("n_folds is 1, it must be 0 or at least 2")
        if self.fold >= max(self.n_folds, 1):
            raise ValueError(
                f"fold is {self.fold}, but n_folds is {self.n_folds}: fold must be below n_folds, or "
                "0 without folds"
            )
        if self.n_folds and self.split == "given":
            raise ValueError(
                f"split is given, but n_folds is {self.n_folds}, which draws the valid split: split "
                "must be stratified, or n_folds 0"
            )
        if self.labels in ("folders", "names") and self.task == "multi_label":
            raise ValueError(
                "task is multi_label, but class folders give one label per picture, as names of "
                "files do: task must be single_label, or labels the path of a table"
            )
        if (self.labels == "names") != bool(self.name_regex):
            raise ValueError(
                f"name_regex is {self.name_regex!r}, but labels is {self.labels}: with labels: names "
                "it must find the class in a file's name, and be '' otherwise"
            )
        if self.task == "multi_label" and self.label_separator == "none":
            raise ValueError(
                "label_separator is none, but task is multi_label: label_separator must say what is "
                "between the labels, or be auto"
            )
        if self.task == "single_label" and self.label_separator not in ("auto", "none"):
            raise ValueError(
                f"label_separator is {self.label_separator}, but task is single_label, where a cell "
                "is one label: label_separator must be none or auto, or task multi_label"
            )
        return self


class IndexImagesError(HeadstartError):
    """The pictures or their labels cannot be used as they are."""


class _File(NamedTuple):
    """The facts about a file, and whether an earlier run found them."""

    id: str
    is_new: bool
    facts: Facts


def index_images(
    files: Mapping[str, bytes],
    sha256: Mapping[str, str],
    forms: Mapping[str, str],
    params: IndexImagesParams,
    report: Report,
    earlier: Known | None = None,
) -> Index:
    """Decode every picture once, join it with its labels, assign splits, and list the problems.

    Args:
        files: content by path, relative to the images folder (with /); read only where needed.
        sha256: hex digest of each content by path; its first half is the picture's id.
        forms: form of each content by path, as `image_files.forms.form_of` gives it.
        params: section index_images.
        report: shows progress while decoding.
        earlier: facts that earlier runs found, by content (key: `facts_key`).

    Raises:
        IndexImagesError: there is no picture, there are problems and `on_problem` is stop (one
            message lists them), nothing is left to train on, or there is only one class.
        ValueError: the params do not describe these files.
    """
    pictures = [path for path in sorted(files) if is_picture(path, forms[path])]
    if not pictures:
        raise IndexImagesError(no_pictures(files))
    meanings, problems, notes = _meanings(files, pictures, params)
    names = _group_names(files, meanings, params)
    earlier = earlier or NothingKnown()
    named = meanings.keys() | {problem.path for problem in problems}
    paths = [path for path in pictures if path in named]  # without folders that are left aside
    decoded = in_order(partial(_look, files, sha256, earlier), paths)
    copies: defaultdict[str, list[str]] = defaultdict(list)  # id -> its paths, sorted
    sizes = {}
    for path, file in zip(paths, report.progress(decoded, len(paths), "decode"), strict=True):
        if file.is_new:
            earlier.add(file.id, file.facts.record())
        if file.facts.problem:
            problems.append(Problem(path, file.facts.problem, file.facts.detail))
        elif path in meanings:
            copies[file.id].append(path)
            sizes[file.id] = (file.facts.width, file.facts.height)

    known, conflicts = agreed(copies, meanings)
    labelled = {i: copies[i] for i, said in known.items() if said.labels is not None}
    others = {i: copies[i] for i in known if i not in labelled}
    group, group_notes = join_groups(labelled, others, names)
    known, leaks = within_one_split(known, group, copies)
    _check_one_test_split(known, params)
    rule = SplitRule(params.valid_frac, params.test_frac, params.seed, params.n_folds, params.fold)
    known = assign(known, params.n_max_per_class, rule, group)
    classes = tuple(sorted({label for said in _of_train(known) for label in said.labels or ()}))
    unseen = _not_in_train(known, classes)
    problems += [*conflicts, *leaks] + [
        Problem(path, "label_not_in_train", detail)
        for picture, detail in unseen.items()
        for path in copies[picture]
    ]
    problems.sort()
    if problems and params.on_problem == "stop":
        raise IndexImagesError(all_in_one(problems))
    kept = {picture: said for picture, said in sorted(known.items()) if picture not in unseen}
    n_train = sum(said.labels is not None for said in _of_train(kept))
    if len(classes) < 2 or n_train < 2:  # batch norm cannot train on a single picture
        raise IndexImagesError(
            f"train has {n_train} pictures of {len(classes)} classes ({', '.join(classes)}), "
            f"but at least 2 pictures and 2 classes are needed; {len(paths)} pictures and "
            f"{len(problems)} problems were found. If classes are elsewhere, {INIT}."
            + "".join(f" {line}." for line in packages_needed(problems))
        )
    labels = Labels(_label_table(kept, group), classes, params.task)
    if names and params.split == "stratified":
        group_notes += tuple(check_drawn({i: kept[i] for i in kept if i in labelled}, group, rule))
    return Index(
        _picture_table(kept, copies, sizes),
        labels,
        pd.DataFrame(problems, columns=list(Problem._fields)),
        n_ignored=len(files) - len(pictures),
        notes=(
            *notes,
            *group_notes,
            *_notes(labels, params),
            *_left_out(set(files) - {*pictures, params.labels}, problems),
        ),
    )


def _check_one_test_split(known: Mapping[str, Meaning], params: IndexImagesParams) -> None:
    """Refuse to draw test pictures where a folder test has some already."""
    has_test = any(said.split == "test" and said.labels for said in known.values())
    if params.split == "stratified" and params.test_frac and has_test:
        raise IndexImagesError(
            f"index_images.test_frac is {params.test_frac}, but the folder test already holds labelled "
            "pictures: set it to 0, so that these alone are test."
        )


def _of_train(known: Mapping[str, Meaning]) -> list[Meaning]:
    return [said for said in known.values() if said.split == "train"]


def _not_in_train(known: Mapping[str, Meaning], classes: Sequence[str]) -> dict[str, str]:
    """Id -> phrase that names the picture's labels beside `classes`, the labels of train."""
    beside = {i: sorted(set(said.labels or ()) - set(classes)) for i, said in known.items()}
    return {
        i: f"{known[i].split} has {', '.join(names)}, train has not"
        for i, names in beside.items()
        if names
    }


def _picture_table(
    ids: Iterable[str], copies: Mapping[str, list[str]], sizes: Mapping[str, tuple[int, int]]
) -> pd.DataFrame:
    """The table `Index.pictures`: one row per id."""
    rows = [(picture, copies[picture], *sizes[picture]) for picture in ids]
    return pd.DataFrame(rows, columns=["id", "paths", "width", "height"])


def _label_table(known: Mapping[str, Meaning], group: Mapping[str, str]) -> pd.DataFrame:
    """The table `Labels.table`: one row per id."""
    return pd.DataFrame(
        {
            "id": list(known),
            "labels": [None if s.labels is None else list(s.labels) for s in known.values()],
            "split": [said.split for said in known.values()],
            "group": [group[picture] for picture in known],
        }
    )


def _notes(labels: Labels, params: IndexImagesParams) -> tuple[str, ...]:
    """A sentence if valid has no labelled picture, which also says how to give it some."""
    note = scoring_note(labels.n_labelled(), labels.task)
    if not note:
        return ()
    if params.split == "given":
        remedy = (
            "put labelled pictures into a folder valid beside train, or set index_images.split to "
            "stratified, which draws valid from train"
        )
    elif (params.valid_frac or params.n_folds) and (params.group_regex or params.group_column):
        remedy = "use a larger index_images.valid_frac or smaller groups, since no group is cut"
    elif params.valid_frac or params.n_folds:
        remedy = "add pictures, since the part of each class that goes into valid rounds to 0"
    else:
        remedy = "set index_images.valid_frac above 0"
    return (f"{note} For scores of valid, {remedy}.",)


def _left_out(others: set[str], problems: Iterable[Problem]) -> list[str]:
    """Sentences on files that were not read: no pictures, or of a form that needs a package."""
    packages = [
        f"Set aside: {line}, then run `dvc repro --force --single-item index-images`."
        for line in packages_needed(problems)
    ]
    return [note for note in (left_aside(others), *packages) if note]


def _meanings(
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


def _group_names(
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


def _look(
    files: Mapping[str, bytes], sha256: Mapping[str, str], earlier: Known, path: str
) -> _File:
    """Read a file and decode it in full, unless an earlier run did."""
    picture = sha256[path][:32]
    if found := earlier.get(picture):
        return _File(picture, False, Facts.of_record(found))
    return _File(picture, True, find_facts(files[path]))
