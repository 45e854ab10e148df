"""`5_predictions/*.parquet`: one checkpoint's predictions for each picture, and the true labels.

Columns: id, split, targets (class numbers, null where the labels are not known), group; plain and tta
(K probabilities each, calibrated); views (1 + V lists of K, plain first) and mean_of_views (K), as
the network says them. The schema's metadata holds the class table, the task, the temperatures by
which plain and tta are calibrated (none: they are not) and the thresholds. Rows are sorted by
(split, id) and joined by id, never by position.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from headstart.labels.labels import SPLITS
from headstart.labels.task import Task
from headstart.project.errors import HeadstartError
from headstart.project.parquet import as_nested_lists, flat, read_parquet, write_parquet
from headstart.scores.calibration import Truth, calibrated
from headstart.scores.folds import folds_of

Floats = NDArray[np.float64]

Kind = Literal["plain", "tta"]


@dataclass(frozen=True)
class Predictions:
    """Predictions of N pictures over K classes, sorted by (train < valid < test, id)."""

    classes: tuple[str, ...]
    table: pd.DataFrame
    """(N rows) id: str, split: str, targets: list of class numbers, None where they are not known;
    group: str, where pictures belong together; without this column each is its own group."""
    views: Floats
    """(1 + V, N, K) probabilities as the network says them, plain view first; a row sums to 1 only
    for single_label."""
    tta: Floats
    """(N, K) probabilities, the mean of the views, not calibrated."""
    task: Task = "single_label"
    thresholds: Mapping[Kind, tuple[float, ...]] = field(default_factory=dict)
    """multi_label: kind of prediction -> K thresholds; empty for single_label."""
    temperatures: Mapping[Kind, float] = field(default_factory=dict)
    """Kind of prediction -> what calibrates it, as scores.calibration; empty: nothing does."""

    def probabilities(self, kind: Kind) -> Floats:
        """Probabilities (N, K) of the plain view or of the mean over views, calibrated."""
        return calibrated(self.uncalibrated(kind), self.temperatures.get(kind, 1.0), self.task)

    def uncalibrated(self, kind: Kind) -> Floats:
        """The same (N, K) as the network says them."""
        return self.views[0] if kind == "plain" else self.tta

    def where(self, keep: NDArray[np.bool_]) -> "Predictions":
        """The predictions of the pictures that `keep` (N,) marks True."""
        table = self.table[keep].reset_index(drop=True)
        return replace(self, table=table, views=self.views[:, keep], tta=self.tta[keep])

    def labelled(self, split: str) -> "Predictions":
        """The predictions of the pictures of `split` whose labels are known."""
        of_split = self.table["split"].to_numpy() == split
        return self.where(of_split & self.table["targets"].notna().to_numpy(bool))

    def class_numbers(self) -> NDArray[np.int64]:
        """Class number of each picture (N,); for single_label, with all pictures labelled."""
        return np.array([targets[0] for targets in self.table["targets"]], np.int64)

    def truth(self) -> Truth:
        """class_numbers of single_label, multi_hot of multi_label; all pictures must be labelled."""
        return self.class_numbers() if self.task == "single_label" else self.multi_hot()

    def folds(self) -> NDArray[np.int64]:
        """The fold of each picture (N,), a group in one of them, as folds_of."""
        return folds_of(self.table["group" if "group" in self.table else "id"].tolist())

    def multi_hot(self) -> NDArray[np.bool_]:
        """Whether each picture has each label (N, K); all pictures must be labelled."""
        hot = np.zeros((len(self.table), len(self.classes)), bool)
        for row, targets in enumerate(self.table["targets"]):
            hot[row, targets] = True
        return hot


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the table.

    Raises:
        ValueError: an array's shape does not fit the table, rows are not sorted by (split, id), or
            an id occurs twice.
    """
    table, n, k = predictions.table, len(predictions.table), len(predictions.classes)
    if predictions.views.shape[1:] != (n, k) or predictions.tta.shape != (n, k):
        raise ValueError(
            f"{path}: {n} pictures of {k} classes need views (1 + V, {n}, {k}) and tta ({n}, {k}), "
            f"found {predictions.views.shape} and {predictions.tta.shape}."
        )
    keys = [(SPLITS.index(split), id_) for split, id_ in zip(table.split, table.id, strict=True)]
    if keys != sorted(set(keys)):
        raise ValueError(f"{path}: rows must be sorted by (split, id), each id once.")
    columns = {
        "id": pa.array(table.id.tolist(), pa.string()),
        "split": pa.array(table.split.tolist(), pa.string()),
        "targets": pa.array(table.targets.tolist(), pa.list_(pa.int64())),
        "plain": as_nested_lists(predictions.probabilities("plain")),
        "tta": as_nested_lists(predictions.probabilities("tta")),
        # (1+V, N, K) -> (N, 1+V, K): a row of the file is a picture.
        "views": as_nested_lists(predictions.views.swapaxes(0, 1)),
        "mean_of_views": as_nested_lists(predictions.tta),
    }
    if "group" in table:
        columns["group"] = pa.array(table.group.tolist(), pa.string())
    about: dict[str, object] = {
        "classes": list(predictions.classes),
        "task": predictions.task,
        "thresholds": dict(predictions.thresholds),
        "temperatures": dict(predictions.temperatures),
        "n_views": len(predictions.views) - 1,
    }
    metadata = {key: json.dumps(value) for key, value in about.items()}
    write_parquet(path, pa.table(columns).replace_schema_metadata(metadata))


def read_predictions(path: Path) -> Predictions:
    """Read what write_predictions wrote, or what it wrote before there were temperatures and groups.

    Raises:
        ValueError: the file carries no class table, so it is no predictions file.
    """
    table = read_parquet(path)
    about = {key.decode(): value for key, value in (table.schema.metadata or {}).items()}
    if not {"classes", "task", "thresholds", "n_views"} <= about.keys():
        raise HeadstartError(f"{path} is not a predictions file: its schema has no class table.")
    classes = tuple(json.loads(about["classes"]))
    shape = (len(table), 1 + json.loads(about["n_views"]), len(classes))  # (N, 1+V, K)
    known = [name for name in ("id", "split", "targets", "group") if name in table.column_names]
    rows = pd.DataFrame({name: table[name].to_pylist() for name in known})
    mean = table["mean_of_views" if "mean_of_views" in table.column_names else "tta"]
    views = flat(table["views"]).reshape(shape).swapaxes(0, 1)
    return Predictions(
        classes,
        rows.astype({name: object if name == "targets" else str for name in known}),
        views,
        flat(mean).reshape(shape[0], shape[2]),
        json.loads(about["task"]),
        {kind: tuple(values) for kind, values in json.loads(about["thresholds"]).items()},
        json.loads(about.get("temperatures", "{}")),
    )
