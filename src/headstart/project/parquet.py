"""Tables as Parquet files: written beside, then renamed, with bytes that repeat."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def frame(table: pa.Table) -> pd.DataFrame:
    """Columns of plain Python values: lists stay lists, text is text, numbers are int64."""
    return pd.DataFrame({name: table[name].to_pylist() for name in table.column_names})


def write_table(path: Path, values: pd.DataFrame, schema: pa.Schema) -> None:
    """Write beside, then rename; the bytes depend on the values and pyarrow's version alone."""
    table = pa.table({name: values[name].tolist() for name in schema.names}, schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    pq.write_table(table, beside)
    beside.replace(path)
