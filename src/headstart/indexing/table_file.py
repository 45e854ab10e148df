"""Reads a table file of any known form; the content says which form it is, not the name."""

from headstart.indexing.csv_rows import csv_table
from headstart.indexing.record_rows import json_table, parquet_table
from headstart.indexing.table_bytes import text_of
from headstart.indexing.table_rows import Table
from headstart.project.errors import HeadstartError
from headstart.project.short import listed


def read_table(data: bytes, name: str) -> Table:
    """The table in a CSV, JSON lines, a JSON list or a Parquet file.

    Args:
        data: the whole file.
        name: its path, for sentences.

    Raises:
        HeadstartError: the file is no table, or cannot be read safely; the sentence names the file,
            the line and the remedy.
    """
    if data.startswith(b"PAR1"):
        return parquet_table(data, name)
    found = text_of(data, name)
    begin = found.text.lstrip()[:1]
    if not begin:
        raise HeadstartError(
            f"{name} is empty: it must be a table with a header and a row a picture."
        )
    table = json_table(found, name) if begin in "[{" else csv_table(found, name)
    if not table.rows:
        below = f" below its header ({listed(table.columns)})" if table.columns else ""
        raise HeadstartError(f"{name} has no rows{below}: it must have one for each picture.")
    return table
