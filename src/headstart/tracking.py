"""The only module that knows MLflow: its store, the runs of stages and one complete row a state.

A tracker that is down costs no result: a run's file keeps all that was told, and the next
`publish-run` or `headstart sync` logs it.
"""

import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from headstart.core.state import Row
from headstart.store.runs import Point, RunRecord

LOCK_TIMEOUT_S = 60.0
COMPLETE = "headstart.complete"  # the tag of a row that was written to its end
# A view of MLflow's table by its address, …/runs?viewStateShareKey=scores: the columns that it shows.
VIEW, SCORE = "scores", re.compile(r"tta_evaluate\.(valid|test)\.(plain|tta)\.(accuracy|f2)")
COLUMN_PX = 250  # of the whole name of a score
# MLflow asks an unreachable server for minutes, reports its use, and tells of every table it makes.
MLFLOW_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_EXPERIMENT_NAME": "headstart",
}


def project_root() -> Path:
    """The project's own folder, also inside the temporary copy of a queued experiment."""
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd()
    return next(
        (folder for folder in [here, *here.parents] if (folder / "dvc.yaml").exists()), here
    )


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI where it is set, else mlflow.db in the project's folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


class Tracker:
    """One experiment of one MLflow store. Every method raises whatever MLflow raises."""

    def __init__(self) -> None:
        """Open the store; make it and the experiment, once, where they do not exist."""
        from filelock import FileLock

        import_mlflow()
        uri, root = tracking_uri(), project_root()
        # Two processes that migrate one fresh database break each other.
        with FileLock(root / "mlflow.db.lock", timeout=LOCK_TIMEOUT_S), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            self.client: Any = MlflowClient(tracking_uri=uri)
            name = os.environ["MLFLOW_EXPERIMENT_NAME"]
            experiment = self.client.get_experiment_by_name(name)
            if experiment is None:
                # A server knows where its files go; ours must not stay in a temporary copy.
                files = None if uri.startswith("http") else (root / "mlartifacts").as_uri()
                self.experiment_id = self.client.create_experiment(name, artifact_location=files)
            else:
                self.experiment_id = experiment.experiment_id

    def start(
        self, name: str, params: Mapping[str, Any], tags: Mapping[str, str], started_ms: int
    ) -> str:
        """Start a run and return its id."""
        run = self.client.create_run(
            self.experiment_id, start_time=started_ms, run_name=name, tags=dict(tags)
        )
        run_id = str(run.info.run_id)
        self.log_params(run_id, params)
        return run_id

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Log every param, cut to the lengths that MLflow takes."""
        from mlflow.entities import Param

        entities = [Param(_name(key), str(value)[:6000]) for key, value in params.items()]
        for i in range(0, len(entities), 100):
            self.client.log_batch(run_id, params=entities[i : i + 100])

    def log_points(self, run_id: str, points: Sequence[Point]) -> None:
        """Log values of metrics; a point that the store has already changes nothing."""
        from mlflow.entities import Metric

        entities = [Metric(_name(p.key), p.value, p.time_ms, p.step) for p in points]
        for i in range(0, len(entities), 1000):
            self.client.log_batch(run_id, metrics=entities[i : i + 1000])

    def end(self, run_id: str, status: str, ended_ms: int, artifacts: Iterable[str] = ()) -> None:
        """Attach the files that exist and close the run."""
        for path in artifacts:
            if Path(path).is_file():
                self.client.log_artifact(run_id, path)
        self.client.set_terminated(run_id, status=status, end_time=ended_ms)

    def find(self, tags: Mapping[str, str]) -> Any | None:
        """Return the newest run that carries all `tags`, or None."""
        query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        runs = self.client.search_runs([self.experiment_id], query, max_results=1)
        return runs[0] if runs else None

    def ensure(self, record: RunRecord) -> str:
        """Return the id of the record's run in this store; log it where the store lacks it."""
        run = self.find({"headstart.record": record.key})
        if run is not None and run.info.status == "FINISHED":
            return str(run.info.run_id)
        if run is None:
            run_id = self.start(record.stage, record.params, record.tags, record.started_ms)
        else:  # the tracker went down halfway
            run_id = str(run.info.run_id)
            self.log_params(run_id, record.params)
        self.log_points(run_id, record.points)
        self.end(run_id, "FINISHED", record.ended_ms, record.artifacts)
        return run_id

    def has_row(self, state: str) -> bool:
        """Tell whether a complete row of this state exists."""
        return self.find({"headstart.state": state, COMPLETE: "true"}) is not None

    def add_row(self, row: Row, records: Iterable[RunRecord], artifacts: Iterable[str] = ()) -> str:
        """Write one complete row, nest the stage runs that no row has used yet; return its id."""
        runs = {record.stage: self.ensure(record) for record in records}
        tags = origin() | {"headstart.state": row.state}
        tags |= {f"headstart.run.{stage}": run_id for stage, run_id in runs.items()}
        name, now = os.environ.get("DVC_EXP_NAME", row.state[:8]), now_ms()
        row_id = self.start(name, row.params, tags, now)
        self.log_points(row_id, [Point(key, value, 0, now) for key, value in row.metrics.items()])
        for run_id in runs.values():
            if "mlflow.parentRunId" not in self.client.get_run(run_id).data.tags:
                self.client.set_tag(run_id, "mlflow.parentRunId", row_id)
        self.client.set_tag(row_id, COMPLETE, "true")
        self.end(row_id, "FINISHED", now_ms(), artifacts)
        self._keep_view(row.metrics)
        return row_id

    def _keep_view(self, metrics: Iterable[str]) -> None:
        """Keep a view of complete rows alone, the newest first, whose columns are the scores."""
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
        self.client.set_experiment_tag(self.experiment_id, tag, json.dumps(view))


def publish(row: Row, records: Iterable[RunRecord], artifacts: Iterable[Path] = ()) -> str | None:
    """Write one complete row for a state; return its run id, or None where the tracker is down."""
    try:
        return Tracker().add_row(row, records, map(str, artifacts))
    except Exception as error:
        say_down(error)
        return None


def say_down(error: Exception) -> None:
    """Say on stderr, in a sentence, that MLflow does not answer and that nothing is lost."""
    reason = str(error).strip().splitlines() or [type(error).__name__]
    print(
        f"MLflow at {tracking_uri()} does not answer ({reason[0]}). The result is kept; "
        "`headstart sync` logs it when MLflow is back.",
        file=sys.stderr,
    )


def origin() -> dict[str, str]:
    """Where this run comes from: the commit and the name of the experiment, where there are any."""
    tags = {"headstart.experiment": os.environ.get("DVC_EXP_NAME", "")}
    command = ["git", "rev-parse", "HEAD"]
    with suppress(OSError):
        head = subprocess.run(command, capture_output=True, text=True, check=False)
        tags["mlflow.source.git.commit"] = head.stdout.strip() if head.returncode == 0 else ""
    return {name: value for name, value in tags.items() if value}


def now_ms() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


def import_mlflow() -> None:
    """Import what `Tracker` needs, and open nothing yet."""
    for name, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's use of its own dependencies is not ours
        import mlflow  # noqa: F401

        if not tracking_uri().startswith("http"):
            from mlflow.store.tracking import sqlalchemy_store  # noqa: F401


def _name(key: str) -> str:
    """`key` with what MLflow takes in a name; class names may hold anything."""
    return re.sub(r"[^\w.\- ]", "_", key)[:250]
