"""labels.parquet and test_labels.parquet: the labels, the split and the group of each picture.

Labels and groups of test lie in a file of their own, which only stages that score or show test read. So
no training depends on them, not even on whether a picture of test is labelled.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from headstart.labels.task import Task
from headstart.project.errors import HeadstartError
from headstart.project.parquet import frame, read_parquet, write_table

SPLITS = ("train", "valid", "test")

_LABELS = pa.schema(
    [
        ("id", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("split", pa.string()),
        ("group", pa.string()),
    ]
)
_TEST = pa.schema([_LABELS.field(name) for name in ("id", "labels", "group")])


@dataclass(frozen=True)
class Labels:
    """The labels, the split and the group of each picture.

    Attributes:
        table: one row for each picture, sorted by id: `id`; `labels` (list of str; None: not
            labelled); `split` (train, valid or test); `group` (pictures of one group share a split;
            a picture that belongs with no other is its own group).
        classes: the class table, sorted, from train alone.
        task: single_label (exactly one label a picture) or multi_label (any number, none included).
        without_test: whether the labels and groups of test were not read; the table has None there,
            and whoever asks for these labels gets an error.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    task: Task
    without_test: bool = field(default=False, kw_only=True)

    def splits(self) -> list[str]:
        """The splits that occur, in the order train, valid, test."""
        present = set(self.table["split"])
        return [split for split in SPLITS if split in present]

    def ids(self, split: str) -> list[str]:
        """The sorted ids of `split`, labelled or not; empty for a split that does not occur."""
        return [str(picture) for picture in self.table["id"][self.table["split"] == split]]

    def labelled(self, split: str) -> list[str]:
        """The sorted ids of `split` whose labels are known.

        Raises:
            ValueError: the labels of test are asked for and were not read.
        """
        ids = self.ids(split)
        return [i for i, labels in zip(ids, self._labels(ids), strict=True) if labels is not None]

    def n_labelled(self) -> dict[str, int]:
        """How many pictures of each split have known labels.

        Raises:
            ValueError: the labels of test were not read.
        """
        return {split: len(self.labelled(split)) for split in SPLITS}

    def class_numbers(self, ids: Sequence[str]) -> list[list[int] | None]:
        """Indices into `classes` of each picture's labels, in the order of `ids`; None: not labelled.

        Raises:
            ValueError: an id is unknown, or the labels of test were not read.
        """
        number = {name: place for place, name in enumerate(self.classes)}
        return [
            None if labels is None else [number[name] for name in labels]
            for labels in self._labels(ids)
        ]

    def targets(self, ids: Sequence[str]) -> NDArray[np.int64] | NDArray[np.float32]:
        """The training targets of `ids`, in their order.

        Returns:
            single_label: class numbers (N,), int64; multi_label: 0 or 1 (N, K), float32.

        Raises:
            ValueError: an id is unknown or not labelled, or the labels of test were not read.
        """
        numbers = self.class_numbers(ids)
        if None in numbers:
            raise ValueError(f"picture {ids[numbers.index(None)]!r} is not labelled.")
        if self.task == "single_label":
            return np.array([of_one[0] for of_one in numbers if of_one is not None], np.int64)
        targets = np.zeros((len(ids), len(self.classes)), np.float32)
        for row, of_one in enumerate(numbers):
            targets[row, of_one] = 1
        return targets

    def _labels(self, ids: Sequence[str]) -> list[list[str] | None]:
        """The labels of each id, in their order."""
        found = []
        for picture in ids:
            if picture not in self._labels_of:
                raise ValueError(f"the labels table has no row for picture {picture!r}.")
            if self.without_test and picture in self._ids_of_test:
                raise ValueError(f"the labels of test were not read, such as those of {picture!r}.")
            found.append(self._labels_of[picture])
        return found

    @cached_property
    def _labels_of(self) -> dict[str, list[str] | None]:
        return dict(zip(self.table["id"], self.table["labels"], strict=True))

    @cached_property
    def _ids_of_test(self) -> frozenset[str]:
        return frozenset(self.ids("test"))


def write_labels(path: Path, labels: Labels) -> None:
    """Write labels.parquet: a row for each picture, in test with neither labels nor group.

    The class table and the task go into the schema's metadata.
    """
    about = {"classes": json.dumps(labels.classes, ensure_ascii=False), "task": labels.task}
    of_test = labels.table["split"] == "test"
    told = {name: labels.table[name].astype(object) for name in ("labels", "group")}
    hidden = {name: values.where(~of_test, None) for name, values in told.items()}
    write_table(path, labels.table.assign(**hidden), _LABELS.with_metadata(about))


def write_test_labels(path: Path, labels: Labels) -> None:
    """Write test_labels.parquet: id, labels (null: not labelled) and group of each picture of test."""
    write_table(path, labels.table[labels.table["split"] == "test"], _TEST)


def read_labels(path: Path, test_labels: Path | None = None) -> Labels:
    """Read labels.parquet, and with it the labels of test if their file is given.

    Raises:
        HeadstartError: the file holds no class table, so index-images did not write it; or the other
            file lacks a picture of test.
    """
    table = read_parquet(path)
    about = table.schema.metadata or {}
    if b"classes" not in about or b"task" not in about:
        raise HeadstartError(
            f"{path} holds no class table, so index-images did not write it: run `dvc repro`."
        )
    task: Task = "single_label" if about[b"task"] == b"single_label" else "multi_label"
    classes, rows = tuple(json.loads(about[b"classes"])), frame(table)
    if test_labels is None:
        return Labels(rows, classes, task, without_test=True)
    return Labels(_with_test(rows, test_labels), classes, task)


def _with_test(rows: pd.DataFrame, test_labels: Path) -> pd.DataFrame:
    """`rows` with the labels and groups that the file gives to the pictures of test."""
    columns = read_parquet(test_labels, _TEST).to_pydict()
    told = {row[0]: row[1:] for row in zip(*columns.values(), strict=True)}
    values = []
    for picture, labels, split, group in rows[_LABELS.names].itertuples(index=False):
        if split == "test" and picture not in told:
            raise HeadstartError(
                f"{test_labels} has no row for picture {picture!r} of test: run "
                "`dvc repro index-images`."
            )
        values.append(told[picture] if split == "test" else (labels, group))
    return rows.assign(
        labels=pd.Series([labels for labels, _ in values], dtype=object),
        group=[group for _, group in values],
    )
