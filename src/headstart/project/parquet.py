"""Tables as Parquet files; the same table gives the same bytes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headstart.project.beside import written_beside


def frame(table: pa.Table) -> pd.DataFrame:
    """A data frame of plain Python values: lists stay lists, text is text, numbers are int64."""
    return pd.DataFrame({name: table[name].to_pylist() for name in table.column_names})


def write_table(path: Path, values: pd.DataFrame, schema: pa.Schema) -> None:
    """Write the columns of `values` that `schema` names."""
    table = pa.table({name: values[name].tolist() for name in schema.names}, schema=schema)
    write_parquet(path, table)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table; the bytes depend on its values, its schema and pyarrow's version alone."""
    with written_beside(path) as partial:
        pq.write_table(table, partial)


def as_nested_lists(numbers: NDArray[np.float64]) -> pa.ListArray:
    """(R, K) -> R lists of K; (R, V, K) -> R lists of V lists of K.

    No number becomes a Python object on the way.
    """
    values = pa.array(np.ascontiguousarray(numbers).ravel(), pa.float64())
    for size in reversed(numbers.shape[1:]):
        offsets = pa.array(range(0, len(values) + 1, size), pa.int32())
        values = pa.ListArray.from_arrays(offsets, values)
    return values


def flat(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Every number of a column of (nested) lists, in order."""
    values = column.combine_chunks()
    while pa.types.is_list(values.type):
        values = values.flatten()
    return np.asarray(values, np.float64)
