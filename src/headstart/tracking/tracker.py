"""One complete row per state in MLflow, with the stage runs nested below it.

No result is lost if MLflow is down or refuses a file: the record of a run keeps everything, and the
next `publish-run` or `headstart sync` logs what MLflow lacks.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from headstart.tracking.records import Point, RunRecord
from headstart.tracking.runs import Runs, now_ms, reason, say_down
from headstart.tracking.served_model import ModelFile, keep_model
from headstart.tracking.state import Row

STATE = "headstart.state"
# The tag of a row: "true" when the row and its stage runs have all their numbers.
COMPLETE = "headstart.complete"
# A saved view of MLflow's table, at …/runs?viewStateShareKey=scores, and the metrics that it shows.
VIEW, SCORE = "scores", re.compile(r"tta_evaluate\.(valid|test)\.(plain|tta)\.(accuracy|f2)")
COLUMN_PX = 250  # fits the whole name of a score


class Tracker(Runs):
    """The rows of one experiment, and its stage runs."""

    def add_row(self, row: Row, records: Iterable[RunRecord], artifacts: Sequence[str] = ()) -> str:
        """Write one complete row, or the rest of an interrupted one; return its id."""
        runs = {record.stage: self.ensure(record) for record in records}
        half = self.find({STATE: row.state, COMPLETE: "false"})
        if half is None:
            tags = origin() | {STATE: row.state, COMPLETE: "false"}
            name, started_ms = os.environ.get("DVC_EXP_NAME", row.state[:8]), now_ms()
            row_id = self.start(name, row.params, tags, started_ms)
        else:
            row_id, started_ms = str(half.info.run_id), int(half.info.start_time)
            self.log_params(row_id, row.params)
        # At the row's start time: a point that is logged again is then the same point.
        self.log_points(row_id, [Point(k, v, 0, started_ms) for k, v in row.metrics.items()])
        self._link(row_id, runs)
        self.end(row_id, "FINISHED", now_ms(), artifacts)
        self.client.set_tag(row_id, COMPLETE, "true")
        self._keep_view(row.metrics)
        return row_id

    def ensure_row(
        self, row: Row, records: Iterable[RunRecord], artifacts: Sequence[str] = ()
    ) -> tuple[str, bool]:
        """Return the id of the state's row, and whether it is new; log what the store lacks."""
        found = self.find({STATE: row.state, COMPLETE: "true"})
        if found is None:
            return self.add_row(row, records, artifacts), True
        self._link(found.info.run_id, {record.stage: self.ensure(record) for record in records})
        self.store_missing(found, artifacts)
        self._keep_view(row.metrics)
        return str(found.info.run_id), False

    def _link(self, row_id: str, runs: Mapping[str, str]) -> None:
        """Tag the row with the ids of its stage runs, and nest those runs that have no row yet."""
        from mlflow.entities import RunTag

        there = self.client.get_run(row_id).data.tags
        names = {f"headstart.run.{stage}": run_id for stage, run_id in runs.items()}
        tags = [RunTag(name, run_id) for name, run_id in names.items() if name not in there]
        self.client.log_batch(row_id, tags=tags)
        for run_id in runs.values():
            if "mlflow.parentRunId" not in self.client.get_run(run_id).data.tags:
                self.client.set_tag(run_id, "mlflow.parentRunId", row_id)

    def _keep_view(self, metrics: Iterable[str]) -> None:
        """Save a view that shows only complete rows, the newest first, with the scores as columns."""
        columns = [f"metrics.`{key}`" for key in metrics if SCORE.fullmatch(key)]
        view = {
            "searchFilter": f'tags."{COMPLETE}" = "true"',
            "orderByKey": "attributes.start_time",
            "orderByAsc": False,
            "selectedColumns": columns,
            "columnOrder": columns,
            "columnWidths": dict.fromkeys(columns, COLUMN_PX),
        }
        tag = f"mlflow.sharedViewState.{VIEW}"
        try:
            self.client.set_experiment_tag(self.experiment_id, tag, json.dumps(view))
        except Exception as error:  # the row is complete without it
            self.missing[f"the view {VIEW}"] = reason(error)


def publish(
    row: Row,
    records: Iterable[RunRecord],
    artifacts: Iterable[Path] = (),
    model: Path | None = None,
) -> str | None:
    """Write one complete row for a state; return its run id, or None where the tracker is down.

    The row gets the checkpoint `model` as a model, registered unless this is an experiment of DVC's.
    """
    try:
        tracker = Tracker()
        row_id = tracker.add_row(row, records, [str(path) for path in artifacts])
    except Exception as error:
        say_down(error)
        return None
    if model:
        keep_model(tracker, row_id, ModelFile.of(model), register="DVC_EXP_NAME" not in os.environ)
    tracker.say_missing()
    return row_id


def origin() -> dict[str, str]:
    """Where this run comes from: the commit and the name of the experiment, if they exist."""
    tags = {"headstart.experiment": os.environ.get("DVC_EXP_NAME", "")}
    command = ["git", "rev-parse", "HEAD"]
    with suppress(OSError):
        head = subprocess.run(command, capture_output=True, text=True, check=False)
        tags["mlflow.source.git.commit"] = head.stdout.strip() if head.returncode == 0 else ""
    return {name: value for name, value in tags.items() if value}
