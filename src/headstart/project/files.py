"""Reports and metrics on disk: CSV, JSON, PNG and text.

The same values give the same bytes, so DVC sees a change only where there is one. Every stage
imports this module, so the import loads neither pandas nor matplotlib.
"""

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.project.beside import written_beside
from headstart.project.seals import KEY, UNSEALED, read_sealed_json, seal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def write_report(path: Path, content: "str | pd.DataFrame | Figure") -> None:
    """Write one part of a report: text (HTML) as it is, a table as CSV, a figure as PNG."""
    import pandas as pd

    if isinstance(content, str):
        write_text(path, content)
    elif isinstance(content, pd.DataFrame):
        write_csv(path, content)
    else:
        write_figure(path, content)


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write `table` without its index; floats round-trip, a missing value is an empty cell."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def write_json(path: Path, values: Mapping[str, Any], sealed: bool = False) -> None:
    """Write a nested mapping of plain values, keys in the order given.

    Args:
        path: the file to write.
        values: by key.
        sealed: whether the file carries a digest, under one more key: for what a later stage computes
            with. A file that DVC shows (metrics) has only its own keys.

    Raises:
        ValueError: a number is NaN or infinite; the message names its dotted key. Leave out such a
            key.
    """
    for key, value in flatten(values).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{path}: {key} is {value}; leave out keys without a finite number.")
    values = {KEY: UNSEALED, **values} if sealed else values
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with written_beside(path) as partial:
        partial.write_bytes(text.encode("utf-8"))
        if sealed:
            seal(partial)


def read_json(path: Path) -> dict[str, Any]:
    """Read what write_json wrote, sealed or not.

    Raises:
        DamagedError: the file is damaged.
        HeadstartError: it holds no JSON mapping.
    """
    return read_sealed_json(path)


def write_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG, with neither date nor version in the file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    _write(path, buffer.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with the line ends it holds."""
    _write(path, text.encode("utf-8"))


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of a nested mapping under their dotted keys, as `dvc metrics show` names them."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def _write(path: Path, content: bytes) -> None:
    with written_beside(path) as partial:
        partial.write_bytes(content)
