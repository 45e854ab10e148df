"""Tables as Parquet files, with bytes that repeat."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from headstart.project.beside import written_beside


def frame(table: pa.Table) -> pd.DataFrame:
    """Columns of plain Python values: lists stay lists, text is text, numbers are int64."""
    return pd.DataFrame({name: table[name].to_pylist() for name in table.column_names})


def write_table(path: Path, values: pd.DataFrame, schema: pa.Schema) -> None:
    """Write the columns of `schema`."""
    table = pa.table({name: values[name].tolist() for name in schema.names}, schema=schema)
    write_parquet(path, table)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table; the bytes depend on its values, its schema and pyarrow's version alone."""
    with written_beside(path) as partial:
        pq.write_table(table, partial)
