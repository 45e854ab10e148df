"""Finds the columns of a Parquet file that hold pictures and their labels."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from headstart.image_files.forms import form_of
from headstart.project.located import SourceError

_N_LOOKED_AT = 16  # rows
_LABELS = ("label", "labels")
_TABLE = "write the pictures into files, and their labels into a table (docs/own_pictures.md)"


class Columns(NamedTuple):
    """Which columns hold what.

    Attributes:
        pictures: name of the column of structs with `bytes`.
        labels: name of the column of classes, which are text or numbers; '': there is none.
        names: of the classes by number; empty: the values are the names.
    """

    pictures: str
    labels: str
    names: tuple[str, ...]


def picture_columns(file: Path, schema: pa.Schema) -> list[str]:
    """The columns that surely hold pictures: structs of `bytes` and `path`.

    What `datasets` wrote into the schema says which of them are pictures. Otherwise the first rows do,
    since sound has the same structs.
    """
    features = _features(schema)
    return [
        name
        for name in schema.names
        if _has_bytes_and_path(schema.field(name).type)
        and (features[name]["_type"] == "Image" if name in features else _begins(file, name))
    ]


def find_columns(file: Path, schema: pa.Schema, pictures: Sequence[str], of_test: bool) -> Columns:
    """The column of the pictures and that of their labels; those named image and label come first.

    Args:
        file: the Parquet file, for sentences.
        schema: of the file.
        pictures: at least one, from `picture_columns`.
        of_test: whether the pictures are those of test, which may have no labels.

    Raises:
        SourceError: several columns or none may be meant, or that of the labels holds no classes.
    """
    features = _features(schema)
    where = f"dataset.source: {file} has"
    if len(pictures) > 1 and "image" not in pictures:
        raise SourceError(
            f"{where} several columns of pictures: {', '.join(pictures)}. Did you mean "
            f"{pictures[0]}? Call that one image in all files."
        )
    image = "image" if "image" in pictures else pictures[0]
    called = [
        name
        for name in schema.names
        if features.get(name, {}).get("_type") == "ClassLabel" or name in _LABELS
    ]
    labels = [name for name in called if _is_scalar(schema, name)]
    labels = labels or [name for name in called if _is_float(schema, name)]
    if len(labels) > 1 and "label" not in labels:
        most = max(labels, key=lambda name: len(_names(features, name)))
        raise SourceError(
            f"{where} several columns of labels: {', '.join(labels)}. Did you mean {most}? Call that "
            "one label in all files."
        )
    if labels:
        label = "label" if "label" in labels else labels[0]
        return Columns(image, label, _names(features, label))
    for name in called:
        if why := _why_no_label(schema.field(name).type, of_test):
            raise SourceError(f"{where} a column {name} {why}.")
    if of_test:
        return Columns(image, "", ())
    others = [name for name in schema.names if name not in pictures]
    likely = [name for name in others if _is_scalar(schema, name)]
    raise SourceError(
        f"{where} no column label or labels (it has {', '.join(schema.names)})"
        + (f"; did you mean {likely[0]}? Call it label in all files." if likely else f": {_TABLE}.")
    )


def batches(file: pq.ParquetFile, n_rows: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows in their order, at most `n_rows` at a time.

    Row group by row group, since pyarrow keeps in memory all row groups that it is asked for at once.
    """
    for group in range(file.num_row_groups):
        yield from file.iter_batches(n_rows, row_groups=[group], columns=columns)


def _features(schema: pa.Schema) -> Mapping[str, Any]:
    """What `datasets` wrote of each column; nothing if another program wrote the file."""
    try:
        said = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = said["info"]["features"].items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {name: of for name, of in features if isinstance(of, dict) and "_type" in of}


def _names(features: Mapping[str, Any], label: str) -> tuple[str, ...]:
    names = features.get(label, {}).get("names")
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _has_bytes_and_path(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    kinds = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
    if not {"bytes", "path"} <= kinds.keys():
        return False
    tests = (pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(kinds["bytes"]) for is_kind in tests)


def _begins(file: Path, column: str) -> bool:
    """Whether the first of the first rows that has bytes is a picture."""
    with pq.ParquetFile(file) as opened:
        first = next(batches(opened, _N_LOOKED_AT, [f"{column}.bytes"]), None)
    rows = first.column(column).to_pylist() if first else []
    filled = [row["bytes"] for row in rows if row and row["bytes"]]
    return bool(filled) and form_of(filled[0]) != ""


def _is_scalar(schema: pa.Schema, name: str) -> bool:
    kind = schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string)
    return any(is_kind(kind) for is_kind in tests)


def _is_float(schema: pa.Schema, name: str) -> bool:
    """Whether a column may hold whole numbers as pandas writes them where a row has none."""
    kind = schema.field(name).type
    return bool(pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _why_no_label(kind: pa.DataType, of_test: bool) -> str:
    """Why no label can be read from a column of this type; '' for one of test that is empty."""
    if pa.types.is_null(kind) and of_test:
        return ""
    if pa.types.is_null(kind):
        return (
            "without any label (type null): write the class of each picture into it; if the pictures "
            "are to be predicted, call the file such as test-1.parquet"
        )
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if any(is_kind(kind) for is_kind in tests):
        return f"with several labels a picture, which are not read from Parquet: {_TABLE}"
    return f"of type {kind}, which is no class: write classes as text or whole numbers"
