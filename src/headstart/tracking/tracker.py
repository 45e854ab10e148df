"""One complete row per state in MLflow, with the stage runs nested below it.

No result is lost if MLflow is down or refuses a file: the record of a run keeps everything, and the
next `publish-run` or `headstart sync` logs what MLflow lacks.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from headstart.exporting.as_onnx import as_onnx
from headstart.tracking.data_set import data_set
from headstart.tracking.gone import end_gone
from headstart.tracking.headline import curves, headline, work_ms
from headstart.tracking.names import NOTE
from headstart.tracking.origin import experiment, origin, subject
from headstart.tracking.records import Point, RunRecord
from headstart.tracking.row_name import changes, row_name
from headstart.tracking.runs import Runs, now_ms, reason, say_down, stored
from headstart.tracking.served_model import ModelFile, Served, keep_model
from headstart.tracking.state import Row
from headstart.tracking.summary import again, summary
from headstart.tracking.view import COMPLETE, NAME, note, view_tag

STATE = "headstart.state"
RUNS = "headstart.runs"  # JSON: stage -> id of the run that made its result
# Which pages MLflow opens. Version 3.17 does not look at it: there the browser's user chooses.
KIND = "mlflow.experimentKind"
SOURCE = "dvc.yaml"  # what a row is the run of
ROW = "the row"


class Tracker(Runs):
    """The rows of one experiment, and its stage runs."""

    def add_row(self, row: Row, records: Iterable[RunRecord], artifacts: Sequence[str] = ()) -> str:
        """Write one complete row, or the rest of an interrupted one; return its id."""
        records = list(records)
        runs = {record.stage: self.ensure(record) for record in records}
        self.begin(ROW, 0)
        numbers, ms = headline(row.metrics, records), work_ms(records)
        newest = self.find({COMPLETE: "true"})
        changed = changes(newest.data.params, stored(row.params)) if newest else []
        if half := self.find({STATE: row.state, COMPLETE: "false"}):
            row_id, started_ms = str(half.info.run_id), int(half.info.start_time)
            self.log_params(row_id, row.params)
        else:
            tags = origin(SOURCE, row.revision) | {STATE: row.state, COMPLETE: "false"}
            name = row_name(changed, experiment(), subject(row.revision))
            # The duration that MLflow shows is the time that the stages worked. MLflow sorts by the
            # start, and a row that DVC restored must not get below the one before.
            started_ms = max(now_ms() - ms, newest.info.start_time + 1 if newest else 0)
            row_id = self.start(name, row.params, tags, started_ms)
        # At the row's start time: a point that is logged again is then the same point. MLflow lists
        # metrics as they were logged, so those that a person reads come first.
        points = [Point(k, v, 0, started_ms) for k, v in (numbers | row.metrics).items()]
        self.log_points(row_id, points + curves(records))
        self._describe(row_id, row, summary(row, changed, ms, artifacts))
        self._link(row_id, runs)
        self.end(row_id, "FINISHED", started_ms + ms, artifacts)
        self.client.set_tag(row_id, COMPLETE, "true")
        self._keep_view(numbers)
        return row_id

    def ensure_row(
        self, row: Row, records: Iterable[RunRecord], artifacts: Sequence[str] = ()
    ) -> tuple[str, bool]:
        """Return the id of the state's row, and whether it is new; log what the store lacks."""
        records = list(records)
        found = self.find({STATE: row.state, COMPLETE: "true"})
        if found is None:
            return self.add_row(row, records, artifacts), True
        runs = {record.stage: self.ensure(record) for record in records}
        self.begin(ROW, 0)
        self._link(found.info.run_id, runs)
        self.store_missing(found, artifacts)
        self._keep_view(headline(row.metrics, records))
        return str(found.info.run_id), False

    def _link(self, row_id: str, runs: Mapping[str, str]) -> None:
        """Tag the row with the ids of its stage runs, and nest those runs that have no row yet."""
        there = json.loads(self.client.get_run(row_id).data.tags.get(RUNS, "{}"))
        if linked := {stage: run_id for stage, run_id in runs.items() if stage not in there}:
            self.client.set_tag(row_id, RUNS, json.dumps(there | linked))
        for run_id in runs.values():
            if "mlflow.parentRunId" not in self.client.get_run(run_id).data.tags:
                self.client.set_tag(run_id, "mlflow.parentRunId", row_id)

    def _describe(self, row_id: str, row: Row, lines: str) -> None:
        """Give the row its data set, and a description: `lines`, and how to get the row again."""
        tags = self.client.get_run(row_id).data.tags
        commit, name = (
            tags.get("mlflow.source.git.commit", ""),
            tags.get("headstart.experiment", ""),
        )
        self.client.set_tag(row_id, NOTE, lines + again(commit, name))
        if pictures := data_set(row):
            self.client.log_inputs(row_id, datasets=[pictures])

    def _keep_view(self, numbers: Mapping[str, float]) -> None:
        """Save the view; give the experiment its description and kind unless it has them."""
        first = {NOTE: note(self.experiment_id), KIND: "custom_model_development"}
        try:
            there = self.client.get_experiment(self.experiment_id).tags
            for name, value in (first | there | dict([view_tag(numbers)])).items():
                if there.get(name) != value:
                    self.client.set_experiment_tag(self.experiment_id, name, value)
        except Exception as error:  # the row is complete without it
            self.missing[f"the view {NAME}"] = reason(error)


def publish(
    row: Row,
    records: Iterable[RunRecord],
    artifacts: Iterable[Path] = (),
    model: Path | None = None,
    served: Served = as_onnx,
) -> str | None:
    """Write one complete row for a state; return its run id, or None where the tracker is down.

    The row gets the checkpoint `model` as a model, registered unless this is an experiment of DVC's.
    `served` makes the file that the model holds, as in ModelFile.
    """
    try:
        tracker = Tracker()
        row_id = tracker.add_row(row, records, [str(path) for path in artifacts])
    except Exception as error:
        say_down(error)
        return None
    if model:
        file = ModelFile.of(model, served)
        keep_model(tracker, row_id, file, register=not experiment())
    end_gone(tracker)
    tracker.say_missing()
    return row_id
