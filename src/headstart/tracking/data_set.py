"""The pictures of a row as a data set of MLflow."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from headstart.tracking.state import Row

CONTEXT = "mlflow.data.context"


def digest(tables: Iterable[str]) -> str:
    """Return 8 hex digits for the md5 digests of the tables of pictures and labels; "" without any."""
    known = list(tables)
    return hashlib.md5("".join(known).encode()).hexdigest()[:8] if known else ""


def data_set(row: Row) -> Any | None:
    """Return MLflow's input of the row's pictures, or None if their digest is unknown.

    Its name is that of the source without its ending, its digest that of the tables of pictures and
    labels, its profile the number of pictures of each split.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    if not row.data:
        return None
    source = str(row.params.get("dataset.source", ""))
    of_index = "index_images."
    counted = {
        key.removeprefix(of_index): n
        for key, n in row.counts.items()
        if key.startswith(of_index) and ".per_class." not in key
    }
    pictures = Dataset(
        name=PurePath(source).stem or "pictures",
        digest=row.data,
        source_type="local",
        source=json.dumps({"uri": source}),
        profile=json.dumps(counted),
    )
    return DatasetInput(dataset=pictures, tags=[InputTag(CONTEXT, "training")])
