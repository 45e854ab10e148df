"""1_index: what a picture is (pictures, train ids) and, apart from it, what it means (labels)."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headstart.core.errors import HeadstartError
from headstart.core.task import Task

SPLITS = ("train", "valid", "test")

_PICTURES = pa.schema(
    [
        ("id", pa.string()),
        ("paths", pa.list_(pa.string())),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)
_LABELS = pa.schema(
    [
        ("id", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("split", pa.string()),
        ("group", pa.string()),
    ]
)
_IDS = pa.schema([("id", pa.string())])


@dataclass(frozen=True)
class Labels:
    """What each picture means.

    Attributes:
        table: a row a picture, sorted by id: `id`; `labels` (list of str; None: not labelled);
            `split` (train, valid or test); `group` (pictures of one group share a split; a picture
            that belongs with no other is its own group).
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
        """The places in `classes` of each picture's labels, in the order of `ids`; None: not labelled.

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
        """What a network is to learn of each of `ids`, in their order.

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


@dataclass(frozen=True)
class Index:
    """All that index-images found out.

    Attributes:
        pictures: columns id, paths (list of str, sorted, relative to the images folder), width,
            height (pixels, after the EXIF turn); sorted by id.
        labels: of exactly those pictures.
        problems: columns path, problem (its kind), detail; sorted.
        n_ignored: files whose name does not look like a picture's.
        notes: sentences for a person: what these pictures do not allow, though nothing is wrong.
    """

    pictures: pd.DataFrame
    labels: Labels
    problems: pd.DataFrame
    n_ignored: int
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, Any]:
        """Pictures in all, per split and per class, problems per kind: for a metrics file."""
        table = self.labels.table
        splits: dict[str, Any] = {}
        for split in self.labels.splits():
            of_split = table["labels"][table["split"] == split]
            n = Counter(label for labels in of_split if labels is not None for label in labels)
            splits[split] = {"n": len(of_split), "n_labelled": int(of_split.notna().sum())}
            absent = [name for name in self.labels.classes if not n[name]]
            splits[split]["n_classes_absent"] = len(absent)
            if absent:
                splits[split]["classes_absent"] = ", ".join(absent)
            splits[split]["per_class"] = {name: n[name] for name in self.labels.classes if n[name]}
        kinds = Counter(self.problems["problem"])
        return {
            "n_pictures": len(self.pictures),
            "n_classes": len(self.labels.classes),
            "n_files_ignored": self.n_ignored,
            "splits": splits,
            "n_problems": {"total": kinds.total(), **dict(sorted(kinds.items()))},
        }


def write_index(index: Index, pictures: Path, labels: Path, train_ids: Path) -> None:
    """Write the three tables of an index, each to its path."""
    write_pictures(pictures, index.pictures)
    write_labels(labels, index.labels)
    write_ids(train_ids, index.labels.ids("train"))


def write_pictures(path: Path, pictures: pd.DataFrame) -> None:
    """Write pictures.parquet: nothing of labels or splits, which must not touch what reads it."""
    _write(path, pictures, _PICTURES)


def read_pictures(path: Path) -> pd.DataFrame:
    """Read pictures.parquet: id, paths (list of str), width, height; sorted by id."""
    return _frame(pq.read_table(path, schema=_PICTURES))


def first_paths(pictures: pd.DataFrame) -> list[tuple[str, str]]:
    """(id, the first of its paths) of each picture: enough to find its bytes."""
    return [(i, paths[0]) for i, paths in zip(pictures["id"], pictures["paths"], strict=True)]


def write_ids(path: Path, ids: Sequence[str]) -> None:
    """Write a sorted list of picture ids (train_ids.parquet)."""
    _write(path, pd.DataFrame({"id": sorted(ids)}), _IDS)


def read_ids(path: Path) -> list[str]:
    """Read a sorted list of picture ids."""
    return [str(picture) for picture in pq.read_table(path, schema=_IDS)["id"].to_pylist()]


def write_labels(path: Path, labels: Labels) -> None:
    """Write labels.parquet; the class table and the task go into the schema's metadata."""
    about = {"classes": json.dumps(labels.classes, ensure_ascii=False), "task": labels.task}
    _write(path, labels.table, _LABELS.with_metadata(about))


def read_labels(path: Path) -> Labels:
    """Read labels.parquet.

    Raises:
        ValueError: the file holds no class table, so index-images did not write it.
    """
    table = pq.read_table(path)
    about = table.schema.metadata or {}
    if b"classes" not in about or b"task" not in about:
        raise HeadstartError(f"{path} holds no class table; index-images writes one.")
    task: Task = "single_label" if about[b"task"] == b"single_label" else "multi_label"
    return Labels(_frame(table), tuple(json.loads(about[b"classes"])), task)


def _frame(table: pa.Table) -> pd.DataFrame:
    """Columns of plain Python values: lists stay lists, text is text, numbers are int64."""
    return pd.DataFrame({name: table[name].to_pylist() for name in table.column_names})


def _write(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    """Write beside, then rename; the bytes depend on the values and pyarrow's version alone."""
    table = pa.table({name: frame[name].tolist() for name in schema.names}, schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    pq.write_table(table, beside)
    beside.replace(path)
