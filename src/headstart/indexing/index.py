"""The result of index-images, and its counts."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from headstart.indexing.near_splits import COLUMNS, near_counts
from headstart.labels.labels import Labels, write_labels, write_test_labels
from headstart.pictures.table import write_ids, write_pictures
from headstart.project.errors import HeadstartError
from headstart.project.files import write_csv


class IndexImagesError(HeadstartError):
    """The pictures or their labels cannot be used as they are."""


@dataclass(frozen=True)
class Index:
    """The result of index-images.

    Attributes:
        pictures: columns id, paths (list of str, sorted, relative to the images folder), width,
            height (pixels, after the EXIF turn); sorted by id.
        labels: of exactly these pictures.
        problems: columns path, problem (its kind), detail; sorted.
        n_ignored: files that are no pictures, the table of labels among them.
        notes: sentences for the user on how a table of labels was read, and on what these pictures do
            not allow, though nothing is wrong.
        grouped: whether the params say how pictures belong together.
        near: pairs of near duplicates, as `near_splits.near_table`; None: they were not searched for,
            or the pictures are too similar to tell.
    """

    pictures: pd.DataFrame
    labels: Labels
    problems: pd.DataFrame
    n_ignored: int
    notes: tuple[str, ...] = ()
    grouped: bool = False
    near: pd.DataFrame | None = None

    def counts(self) -> dict[str, Any]:
        """Counts for a metrics file: pictures in all, per split and per class; problems per kind.

        Groups of labelled pictures are counted too, if the params group them; a labelled picture that
        belongs with no other counts as one group.
        """
        table = self.labels.table
        groups = table["group"].where(table["labels"].notna())  # nan is not counted
        splits: dict[str, Any] = {}
        for split in self.labels.splits():
            of_split = table["labels"][table["split"] == split]
            n = Counter(label for labels in of_split if labels is not None for label in labels)
            splits[split] = {"n": len(of_split), "n_labelled": int(of_split.notna().sum())}
            if self.grouped:
                splits[split]["n_groups"] = groups[table["split"] == split].nunique()
            absent = [name for name in self.labels.classes if not n[name]]
            splits[split]["n_classes_absent"] = len(absent)
            if absent:
                splits[split]["classes_absent"] = ", ".join(absent)
            splits[split]["per_class"] = {name: n[name] for name in self.labels.classes if n[name]}
        sizes = groups.value_counts()
        grouped = {"n_groups": len(sizes), "n_in_largest_group": int(sizes.max())}
        kinds = Counter(self.problems["problem"])
        return {
            "n_pictures": len(self.pictures),
            "n_classes": len(self.labels.classes),
            **(grouped if self.grouped else {}),
            "n_files_ignored": self.n_ignored,
            "splits": splits,
            **({} if self.near is None else {"n_near_duplicates": near_counts(self.near)}),
            "n_problems": {"total": kinds.total(), **dict(sorted(kinds.items()))},
        }


def write_index(
    index: Index, pictures: Path, labels: Path, test_labels: Path, train_ids: Path
) -> None:
    """Write the four tables of an index, each to its path."""
    write_pictures(pictures, index.pictures)
    write_labels(labels, index.labels)
    write_test_labels(test_labels, index.labels)
    write_ids(train_ids, index.labels.ids("train"))


def write_near_duplicates(index: Index, path: Path) -> None:
    """Write the pairs of near duplicates; without a search there are none."""
    write_csv(path, pd.DataFrame(columns=COLUMNS) if index.near is None else index.near)
