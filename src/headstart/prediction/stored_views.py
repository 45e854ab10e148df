"""`5_predictions/views/`: the checkpoints' probabilities for each view of each picture.

Each checkpoint has one Parquet file with the columns id, split and views (1 + V lists of K
probabilities, plain first). Rows are sorted by (split, id). `about.json` holds what the files share,
the order of the checkpoints, and the versions of the packages that computed them. This module does
without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from headstart.labels.task import Task
from headstart.project.errors import HeadstartError
from headstart.project.files import read_json, write_json
from headstart.project.parquet import as_nested_lists, flat, read_parquet, write_parquet
from headstart.project.versions import versions

Floats = NDArray[np.float64]

ABOUT = "about.json"


@dataclass(frozen=True)
class StoredViews:
    """Each checkpoint's probabilities for each view of N pictures.

    Attributes:
        classes: K names, in the order of the probabilities.
        task: what the labels are.
        rows: columns id and split (str), N rows, sorted by (valid < test, id).
        probabilities: (1 + V, N, K) by checkpoint, plain view first. The checkpoints are in the order
            of the recipe.
    """

    classes: tuple[str, ...]
    task: Task
    rows: pd.DataFrame
    probabilities: Mapping[str, Floats]

    @property
    def final(self) -> str:
        """The checkpoint that the recipe ends with."""
        return list(self.probabilities)[-1]

    def counts(self) -> dict[str, int]:
        """Counts for metrics: n_checkpoints, n_views (per picture, the plain one too), n_pictures."""
        n_views, n_pictures, _ = self.probabilities[self.final].shape
        n_checkpoints = len(self.probabilities)
        return {"n_checkpoints": n_checkpoints, "n_views": n_views, "n_pictures": n_pictures}


def write_views(folder: Path, views: StoredViews) -> None:
    """Write each file under another name, then rename it; the same views give the same bytes."""
    columns = {name: pa.array(views.rows[name].tolist(), pa.string()) for name in ("id", "split")}
    for name, probabilities in views.probabilities.items():
        by_picture = as_nested_lists(probabilities.swapaxes(0, 1))  # (1+V, N, K) -> N lists
        write_parquet(folder / f"{name}.parquet", pa.table({**columns, "views": by_picture}))
    about = {
        "classes": list(views.classes),
        "task": views.task,
        "n_views": views.counts()["n_views"],
        "checkpoints": list(views.probabilities),
        "versions": versions(),
    }
    write_json(folder / ABOUT, about, sealed=True)


def read_views(folder: Path) -> StoredViews:
    """Read what write_views wrote; the numbers are exactly the same.

    Raises:
        HeadstartError: the folder is not complete, or its files hold different pictures.
    """
    if not (folder / ABOUT).is_file():
        raise HeadstartError(f"{folder} has no {ABOUT}: run `dvc repro predict-views`.")
    about = read_json(folder / ABOUT)
    classes = tuple(about["classes"])
    tables = {name: read_parquet(folder / f"{name}.parquet") for name in about["checkpoints"]}
    rows, *others = (_rows(table) for table in tables.values())
    if not all(other.equals(rows) for other in others):
        raise HeadstartError(
            f"{folder}: the files hold different pictures; all must come from one run."
        )
    shape = (len(rows), about["n_views"], len(classes))  # (N, 1+V, K)
    # (N, 1+V, K) -> (1+V, N, K). In C order, as computed: the last bits of a sum depend on the order.
    probabilities = {
        name: np.ascontiguousarray(flat(table["views"]).reshape(shape).swapaxes(0, 1))
        for name, table in tables.items()
    }
    return StoredViews(classes, about["task"], rows, probabilities)


def _rows(table: pa.Table) -> pd.DataFrame:
    return pd.DataFrame({name: table[name].to_pylist() for name in ("id", "split")}).astype(str)
