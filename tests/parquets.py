"""Parquet files with pictures inside, as Hugging Face's `datasets` writes them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def cells(pictures: Sequence[bytes | None]) -> pa.Array:
    """A column of pictures; None: a row without one."""
    rows = [None if data is None else {"bytes": data, "path": "x.png"} for data in pictures]
    return pa.array(rows, IMAGE)


def features(names: Mapping[str, Sequence[str]], image: str = "image") -> dict[bytes, bytes]:
    """What `datasets` writes into a schema: the names of the classes by column of labels."""
    said: dict[str, Any] = {image: {"_type": "Image"}}
    said |= {column: {"names": list(of), "_type": "ClassLabel"} for column, of in names.items()}
    return {b"huggingface": json.dumps({"info": {"features": said}}).encode()}


def write_parquet(
    file: Path,
    pictures: Sequence[bytes | None],
    names: Mapping[str, Sequence[str]] | None = None,
    rows_a_group: int = 1000,
    **columns: Any,
) -> None:
    """Write a file with a column image, and others; with `names`, as `datasets` does."""
    table = pa.table({"image": cells(pictures), **columns})
    if names is not None:
        table = table.replace_schema_metadata(features(names))
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, row_group_size=rows_a_group)
