"""Index the pictures: size, copies, labels and split of each, and every problem found."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Literal, NamedTuple, Self

import pandas as pd
from pydantic import Field, field_validator, model_validator

from headstart.image_files.tree import BelowImages
from headstart.indexing.group_checks import check_drawn, within_one_split
from headstart.indexing.groups import (
    Names,
    groups_by_column,
    groups_by_regex,
    join_groups,
    require_groups,
)
from headstart.indexing.index import Index
from headstart.indexing.label_table import parse_table
from headstart.indexing.labelling import (
    Meaning,
    Meanings,
    Problem,
    agreed,
    from_folders,
    from_table,
)
from headstart.indexing.splits import SplitRule, assign
from headstart.kept.once import Known, NothingKnown
from headstart.labels.labels import Labels
from headstart.labels.scoring_note import scoring_note
from headstart.labels.task import Task
from headstart.pictures.facts import Facts, find_facts
from headstart.pictures.rgb import PICTURE_SUFFIXES
from headstart.project.errors import HeadstartError
from headstart.project.report import Report
from headstart.project.section import Section
from headstart.project.workers import in_order

N_SHOWN = 20  # problems that an error message lists


class IndexImagesParams(Section):
    """Section `index_images`: where labels and splits come from."""

    labels: BelowImages = Field(
        min_length=1, description="folders, or the path of a CSV below the images folder"
    )
    id_column: str = Field(min_length=1, description="CSV column that names the picture")
    label_column: str = Field(
        min_length=1,
        description="CSV column of the picture's label, or of its labels separated by spaces",
    )
    id_suffix: str = Field(
        description="what follows the CSV's id in the file name, such as .jpg; '': nothing"
    )
    csv_folder: BelowImages = Field(
        description="folder of the CSV's pictures below the images folder, or ''"
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
        description="CSV column of the picture's group, such as its patient, or ''"
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
                "use group_regex, or set labels to the path of a CSV"
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
        if self.labels == "folders" and self.task == "multi_label":
            raise ValueError(
                "task is multi_label, but class folders give one label per picture: task must "
                "be single_label, or labels the path of a CSV"
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
    params: IndexImagesParams,
    report: Report,
    earlier: Known | None = None,
) -> Index:
    """Decode every picture once, join it with its labels, assign splits, and list the problems.

    Args:
        files: content by path, relative to the images folder (with /); read only where needed.
        sha256: hex digest of each content by path; its first half is the picture's id.
        params: section index_images.
        report: shows progress while decoding.
        earlier: facts that earlier runs found, by content (key: `facts_key`).

    Raises:
        IndexImagesError: there are problems and `on_problem` is stop (one message lists them),
            nothing is left to train on, or there is only one class.
        ValueError: the params do not describe these files.
    """
    paths = [path for path in sorted(files) if _suffix(path) in PICTURE_SUFFIXES]
    meanings, problems = _meanings(files, paths, params)
    names = _group_names(files, meanings, params)
    earlier = earlier or NothingKnown()
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
    group, notes = join_groups(labelled, others, names)
    known, leaks = within_one_split(known, group, copies)
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
        raise IndexImagesError(_all_in_one(problems))
    kept = {picture: said for picture, said in sorted(known.items()) if picture not in unseen}
    n_train = sum(said.labels is not None for said in _of_train(kept))
    if len(classes) < 2 or n_train < 2:  # batch norm cannot train on a single picture
        raise IndexImagesError(
            f"train has {n_train} pictures of {len(classes)} classes ({', '.join(classes)}), "
            f"but at least 2 pictures and 2 classes are needed; {len(paths)} pictures and "
            f"{len(problems)} problems were found."
        )
    labels = Labels(_label_table(kept, group), classes, params.task)
    if names and params.split == "stratified":
        notes += tuple(check_drawn({i: kept[i] for i in kept if i in labelled}, group, rule))
    return Index(
        _picture_table(kept, copies, sizes),
        labels,
        pd.DataFrame(problems, columns=list(Problem._fields)),
        n_ignored=len(files) - len(paths),
        notes=notes + _notes(labels, params),
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
        remedy = "put labelled pictures into a folder valid beside train, or set "
        if params.labels == "folders":
            remedy += "dataset.source to the folder train itself and "
        remedy += "index_images.split to stratified"
    elif (params.valid_frac or params.n_folds) and (params.group_regex or params.group_column):
        remedy = "use a larger index_images.valid_frac or smaller groups, since no group is cut"
    elif params.valid_frac or params.n_folds:
        remedy = "add pictures, since the part of each class that goes into valid rounds to 0"
    else:
        remedy = "set index_images.valid_frac above 0"
    return (f"{note} For scores of valid, {remedy}.",)


def _meanings(
    files: Mapping[str, bytes], paths: Sequence[str], params: IndexImagesParams
) -> Meanings:
    """The labels and splits of `paths`, from the folders or from the CSV."""
    given = params.split == "given"
    if params.labels == "folders":
        return from_folders(paths, given)
    if params.labels not in files:
        raise IndexImagesError(
            f"index_images.labels is {params.labels!r}, but the images folder has no such file; "
            "it must be folders, or the path of a CSV below dataset.source."
        )
    text = files[params.labels].decode("utf-8-sig")
    several = params.task == "multi_label"
    rows = parse_table(text, params.id_column, params.label_column, several)
    folder = PurePosixPath(params.csv_folder)
    by_path = {str(folder / f"{name}{params.id_suffix}"): said for name, said in rows.items()}
    return from_table(paths, by_path, given, may_be_empty=several)


def _group_names(
    files: Mapping[str, bytes], paths: Collection[str], params: IndexImagesParams
) -> Names:
    """The names of the groups of `paths`, from the paths themselves or from the CSV."""
    if params.group_regex:
        names = groups_by_regex(paths, params.group_regex)
        require_groups(names, paths, "group_regex", params.group_regex)
        return names
    if not params.group_column:
        return {}
    text = files[params.labels].decode("utf-8-sig")
    rows = groups_by_column(text, params.id_column, params.group_column)
    folder = PurePosixPath(params.csv_folder)
    names = {str(folder / f"{name}{params.id_suffix}"): groups for name, groups in rows.items()}
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


def _all_in_one(problems: Sequence[Problem]) -> str:
    """One message that lists the problems, at most N_SHOWN, the rarest kinds first."""
    n = Counter(problem.problem for problem in problems)
    rarest_first = sorted(problems, key=lambda problem: (n[problem.problem], problem.problem))
    lines = [f"  {path}: {kind}: {detail}" for path, kind, detail in rarest_first[:N_SHOWN]]
    if len(problems) > N_SHOWN:
        lines.append(f"  ... and {len(problems) - N_SHOWN} more")
    kinds = ", ".join(f"{n[kind]} {kind}" for kind in sorted(n))
    return (
        f"{len(problems)} problems with the pictures ({kinds}):\n" + "\n".join(lines) + "\n"
        "Correct them in dataset.source, or set index_images.on_problem to set_aside."
    )


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()
