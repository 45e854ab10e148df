"""The stage's side of `publish`: a row is written by a process that ends at the deadline."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from headstart.exporting.as_onnx import as_onnx
from headstart.tracking import teller
from headstart.tracking.deadline import deadline_s
from headstart.tracking.records import RunRecord
from headstart.tracking.state import Row


def publish_row(
    row: Row, records: Iterable[RunRecord], artifacts: Iterable[Path], model: Path
) -> str | None:
    """Write one complete row for a state; return its run id, or None where the tracker is down.

    What MLflow has not taken by then is left to `headstart sync`.

    Args:
        row: of the state.
        records: of the stages.
        artifacts: small files to show with the row.
        model: the checkpoint to log and, unless this is an experiment of DVC's, to register.

    Raises:
        HeadstartError: HEADSTART_TRACKER_S is malformed.
    """
    wait_s = deadline_s()
    process = teller.take()
    state = {
        "row": asdict(row),
        "records": [record.model_dump(mode="json") for record in records],
        "artifacts": list(map(str, artifacts)),
        "model": str(model),
    }
    process.send("publish", state)
    if not wait_s:  # all is left to `headstart sync`
        return process.answer(wait_s)
    with TemporaryDirectory() as folder:
        # here, as this process has torch, and beside the other one, which writes the row
        process.send("served", str(as_onnx(model, Path(folder))))
        return process.answer(wait_s)
