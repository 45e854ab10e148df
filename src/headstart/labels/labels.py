"""labels.parquet: the labels, the split and the group of each picture."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Labels:
    """The labels, the split and the group of each picture.

    Attributes:
        table: one row for each picture, sorted by id: `id`; `labels` (list of str; None: not
            labelled); `split` (train, valid or test); `group` (pictures of one group share a split;
            a picture that belongs with no other is its own group).
        classes: the class table, sorted, from train alone.
        task: single_label (exactly one label a picture) or multi_label (any number, none included).
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    task: Task

    def splits(self) -> list[str]:
        """The splits that occur, in the order train, valid, test."""
        present = set(self.table["split"])
        return [split for split in SPLITS if split in present]

    def ids(self, split: str) -> list[str]:
        """The sorted ids of `split`, labelled or not; empty for a split that does not occur."""
        return [str(picture) for picture in self.table["id"][self.table["split"] == split]]

    def labelled(self, split: str) -> list[str]:
        """The sorted ids of `split` whose labels are known."""
        return [picture for picture in self.ids(split) if self._labels_of[picture] is not None]

    def n_labelled(self) -> dict[str, int]:
        """How many pictures of each split have known labels."""
        return {split: len(self.labelled(split)) for split in SPLITS}

    def class_numbers(self, ids: Sequence[str]) -> list[list[int] | None]:
        """Indices into `classes` of each picture's labels, in the order of `ids`; None: not labelled.

        Raises:
            ValueError: an id is unknown.
        """
        number = {name: place for place, name in enumerate(self.classes)}
        numbers: list[list[int] | None] = []
        for picture in ids:
            if picture not in self._labels_of:
                raise ValueError(f"the labels table has no row for picture {picture!r}.")
            labels = self._labels_of[picture]
            numbers.append(None if labels is None else [number[name] for name in labels])
        return numbers

    def targets(self, ids: Sequence[str]) -> NDArray[np.int64] | NDArray[np.float32]:
        """The training targets of `ids`, in their order.

        Returns:
            single_label: class numbers (N,), int64; multi_label: 0 or 1 (N, K), float32.

        Raises:
            ValueError: an id is unknown or not labelled.
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

    @cached_property
    def _labels_of(self) -> dict[str, list[str] | None]:
        return dict(zip(self.table["id"], self.table["labels"], strict=True))


def write_labels(path: Path, labels: Labels) -> None:
    """Write labels.parquet; the class table and the task go into the schema's metadata."""
    about = {"classes": json.dumps(labels.classes, ensure_ascii=False), "task": labels.task}
    write_table(path, labels.table, _LABELS.with_metadata(about))


def read_labels(path: Path) -> Labels:
    """Read labels.parquet.

    Raises:
        ValueError: the file holds no class table, so index-images did not write it.
    """
    table = read_parquet(path)
    about = table.schema.metadata or {}
    if b"classes" not in about or b"task" not in about:
        raise HeadstartError(
            f"{path} holds no class table, so index-images did not write it: run `dvc repro`."
        )
    task: Task = "single_label" if about[b"task"] == b"single_label" else "multi_label"
    return Labels(frame(table), tuple(json.loads(about[b"classes"])), task)
