"""Tables as Parquet files with a digest; the same table gives the same bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headstart.project.beside import written_beside
from headstart.project.seals import KEY, UNSEALED, check_mark, check_seal, damage_of, seal

if TYPE_CHECKING:
    import pandas as pd


def frame(table: pa.Table) -> "pd.DataFrame":
    """A data frame of plain Python values: lists stay lists, text is text, numbers are int64."""
    import pandas as pd  # late: fetch-images does without

    return pd.DataFrame({name: table[name].to_pylist() for name in table.column_names})


def write_table(path: Path, values: "pd.DataFrame", schema: pa.Schema) -> None:
    """Write the columns of `values` that `schema` names."""
    table = pa.table({name: values[name].tolist() for name in schema.names}, schema=schema)
    write_parquet(path, table)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table, sealed; the bytes depend on its values, its schema and pyarrow's version alone."""
    with written_beside(path) as partial:
        with pq.ParquetWriter(partial, table.schema) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({KEY: UNSEALED})
        seal(partial, in_footer=True)


def read_parquet(path: Path, schema: pa.Schema | None = None) -> pa.Table:
    """Read a table, with the metadata of its schema.

    Args:
        path: the file; one that an earlier version wrote has no digest and is read unchecked.
        schema: the columns to read; None: all.

    Raises:
        DamagedError: the file is damaged.
        FileNotFoundError: there is no such file.
    """
    check_seal(path, in_footer=True)
    with damage_of(path, pa.ArrowException, OSError):
        found = (pq.read_metadata(path).metadata or {}).get(KEY.encode())
        table: pa.Table = pq.read_table(path, schema=schema)
    check_mark(path, found)
    return table


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
