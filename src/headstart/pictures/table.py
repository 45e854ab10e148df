"""pictures.parquet and train_ids.parquet: the files of each picture and its size, without labels."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from headstart.project.parquet import frame, read_parquet, write_table

_PICTURES = pa.schema(
    [
        ("id", pa.string()),
        ("paths", pa.list_(pa.string())),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)
_IDS = pa.schema([("id", pa.string())])


def write_pictures(path: Path, pictures: pd.DataFrame) -> None:
    """Write pictures.parquet, without labels or splits: changing them must not rerun its readers."""
    write_table(path, pictures, _PICTURES)


def read_pictures(path: Path) -> pd.DataFrame:
    """Read pictures.parquet: id, paths (list of str), width, height; sorted by id."""
    return frame(read_parquet(path, _PICTURES))


def first_paths(pictures: pd.DataFrame) -> list[tuple[str, str]]:
    """(id, the first of its paths) of each picture: enough to find its bytes."""
    return [(i, paths[0]) for i, paths in zip(pictures["id"], pictures["paths"], strict=True)]


def write_ids(path: Path, ids: Sequence[str]) -> None:
    """Write a sorted list of picture ids (train_ids.parquet)."""
    write_table(path, pd.DataFrame({"id": sorted(ids)}), _IDS)


def read_ids(path: Path) -> list[str]:
    """Read a sorted list of picture ids."""
    return [str(picture) for picture in read_parquet(path, _IDS)["id"].to_pylist()]
