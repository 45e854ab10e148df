"""Section `index_images` of params.yaml."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from headstart.image_files.tree import BelowImages
from headstart.indexing.label_table import Separator
from headstart.indexing.layout import ClassFolder
from headstart.indexing.name_labels import checked_regex
from headstart.labels.task import Task
from headstart.project.section import Section

NO_TABLE = ("folders", "names")
"""Values of index_images.labels; any other is the path of a table."""


def _each_once(labels: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(labels)) < len(labels):
        raise ValueError(f"it must name each label once, but is {', '.join(labels)}")
    return tuple(sorted(labels))


Right = str | Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_each_once)] | None


class IndexImagesParams(Section):
    """Section `index_images`: where labels and splits come from."""

    labels: BelowImages = Field(
        min_length=1,
        description="folders, names (of the files), or the path of a table below the images folder; "
        "* stands for any name: */metadata.jsonl is the table in each folder",
    )
    class_folder: ClassFolder = Field(
        default="first",
        exclude_if=lambda folder: folder == "first",
        description="folders: which folder above a picture is its class: first, nearest to the images "
        "folder, below train, valid and test; last, which holds the picture",
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
        "or the table's own; '*': any folder, if no two pictures have the name that an id gives"
    )
    name_regex: Annotated[str, AfterValidator(checked_regex)] = Field(
        description="regular expression, searched in the files' names, whose first group is the "
        "class; '' if labels is not names"
    )
    task: Task = Field(description="single_label or multi_label")
    split: Literal["given", "stratified"] = Field(
        description="given: by the folders train, valid, test; stratified: drawn"
    )
    split_column: str = Field(
        default="",
        exclude_if=lambda column: not column,
        description="column of the table with the picture's split (train, valid or test, by any usual "
        "name), in place of folders; '': folders. With stratified, test alone is taken from it",
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
    near_duplicates: Literal["together", "report", "off"] = Field(
        description="pictures of one shot: together: no split separates them, and in given splits they "
        "are a problem; report: they are only listed; off: they are not searched for"
    )
    on_problem: Literal["stop", "set_aside"] = Field(
        description="stop: end the run; set_aside: leave the picture out and list it in problems.csv"
    )
    corrections: dict[str, Right] = Field(
        default_factory=dict,
        exclude_if=lambda right: not right,
        description="labels to put in place of the given ones, by a picture's path below the images "
        "folder: a label, or a list where a picture has several; null: leave the picture out. No split "
        "is drawn anew",
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
        if self.labels in NO_TABLE and self.task == "multi_label":
            raise ValueError(
                "task is multi_label, but class folders give one label per picture, as names of "
                "files do: task must be single_label, or labels the path of a table"
            )
        for path, right in self.corrections.items():
            if right is not None and isinstance(right, str) == (self.task == "multi_label"):
                raise ValueError(
                    f"corrections has {right!r} for {path}, but task is {self.task}: it must be "
                    + ("one label" if self.task == "single_label" else "a list of labels")
                    + ", or null to leave the picture out"
                )
        if self.labels != "folders" and self.class_folder == "last":
            raise ValueError(
                f"class_folder is last, but labels is {self.labels}, so that no folder is a class: it "
                "must be first, or labels folders"
            )
        if self.split_column and self.labels in NO_TABLE:
            raise ValueError(
                f"split_column is {self.split_column!r}, but labels is {self.labels}, so there is no "
                "table: it must be '', or labels the path of a table"
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
