"""The runs of one MLflow experiment: params, metrics, an end, and files that may be refused.

Each call may fail before or after MLflow has done the work. `ensure` completes a run that was
interrupted at any point, and repeats nothing.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headstart.tracking.address import hide
from headstart.tracking.names import mlflow_name
from headstart.tracking.records import Point, RunRecord
from headstart.tracking.store import open_store, store_name

MISSING = "headstart.missing"  # a tag: the paths of the files that a run still lacks
MAX_PARAM = 6000  # characters of a param's value
MAX_TAG = 5000  # characters of a tag's value that every version of MLflow accepts


def on_disk(path: str) -> Path | None:
    """The file of an artifact, or None where it does not exist."""
    return Path(path) if Path(path).is_file() else None


def _no_clock(thing: str, n_bytes: int) -> None:
    """For callers whose process ends at a deadline anyway."""


def name_of(record: RunRecord) -> str:
    """What messages call the run of a record."""
    return f"the run of {record.stage}"


class Runs:
    """The runs of one experiment. Every method raises whatever MLflow raises.

    A file that MLflow does not store raises nothing: `say_missing` reports it.

    Attributes:
        client: MLflow's own.
        experiment_id: of the experiment that MLFLOW_EXPERIMENT_NAME names.
        missing: what MLflow did not store, and why.
        begin: called before each thing that MLflow is told, with its name and its size in bytes.
    """

    def __init__(
        self,
        find_file: Callable[[str], Path | None] = on_disk,
        begin: Callable[[str, int], object] = _no_clock,
    ) -> None:
        """Open the store; `find_file` returns the file of an artifact from its path in the record."""
        self.client, self.experiment_id = open_store()
        self.missing: dict[str, str] = {}
        self.begin = begin
        self._find_file = find_file

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
        """Log every param, cut to the lengths that MLflow accepts."""
        from mlflow.entities import Param

        entities = [Param(key, value) for key, value in stored(params).items()]
        for i in range(0, len(entities), 100):
            self.client.log_batch(run_id, params=entities[i : i + 100])

    def log_points(self, run_id: str, points: Sequence[Point]) -> None:
        """Log values of metrics; a point that the store has already changes nothing."""
        from mlflow.entities import Metric

        entities = [Metric(mlflow_name(p.key), p.value, p.time_ms, p.step) for p in points]
        for i in range(0, len(entities), 1000):
            self.client.log_batch(run_id, metrics=entities[i : i + 1000])

    def end(self, run_id: str, status: str, ended_ms: int, artifacts: Sequence[str] = ()) -> None:
        """Close the run, then store its artifacts; until then a tag lists them as missing."""
        if artifacts:
            self._tag_missing(run_id, artifacts)
        self.client.set_terminated(run_id, status=status, end_time=ended_ms)
        if artifacts:
            self._store(run_id, artifacts)

    def find(self, tags: Mapping[str, str]) -> Any | None:
        """Return the newest run that carries all `tags`, or None."""
        query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        runs = self.client.search_runs([self.experiment_id], query, max_results=1)
        return runs[0] if runs else None

    def ensure(self, record: RunRecord) -> str:
        """Return the id of the record's run in this store; create or complete the run first."""
        self.begin(name_of(record), 0)
        run = self.find({"headstart.record": record.key})
        if run is None:
            run_id = self.start(record.stage, record.params, record.tags, record.started_ms)
        else:
            run_id = str(run.info.run_id)
            if run.info.status == "FINISHED":
                self.store_missing(run, record.artifacts)
                return run_id
            self.log_params(run_id, record.params)
        self.log_points(run_id, record.points)
        self.end(run_id, "FINISHED", record.ended_ms, record.artifacts)
        return run_id

    def say_missing(self) -> None:
        """Print a sentence on stderr about what MLflow did not store; nothing if it stored all."""
        if self.missing:
            names, why = ", ".join(self.missing), next(iter(self.missing.values()))
            print(
                f"MLflow at {store_name()} has all numbers, but did not store {names} ({why}). "
                "Run `headstart sync` to try again; if this experiment can store no file at all, set "
                "MLFLOW_EXPERIMENT_NAME to a new name.",
                file=sys.stderr,
            )

    def store_missing(self, run: Any, artifacts: Sequence[str]) -> None:
        """Store the files of a run that has ended, unless it has them all."""
        if MISSING in run.data.tags:
            self._store(run.info.run_id, artifacts)

    def _store(self, run_id: str, artifacts: Iterable[str]) -> None:
        """Store each artifact on its own, then list in a tag those that MLflow did not store."""
        missing = []
        for name in artifacts:
            try:
                if (file := self._find_file(name)) is None:
                    raise FileNotFoundError("the file does not exist; `dvc pull` may bring it")
                self.begin(name, file.stat().st_size)
                self.client.log_artifact(run_id, str(file))
            except Exception as error:
                self.missing[name] = reason(error)
                missing.append(name)
        if missing:
            self._tag_missing(run_id, missing)
        else:
            self.client.delete_tag(run_id, MISSING)

    def _tag_missing(self, run_id: str, artifacts: Iterable[str]) -> None:
        self.client.set_tag(run_id, MISSING, ", ".join(artifacts)[:MAX_TAG])


def stored(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the params as MLflow keeps them: names that it accepts, values cut to its length."""
    return {mlflow_name(key): str(value)[:MAX_PARAM] for key, value in params.items()}


def say_down(error: Exception) -> None:
    """Print a sentence on stderr: logging to MLflow failed, and nothing is lost."""
    print(
        f"Logging to MLflow at {store_name()} failed ({reason(error)}). The result is kept; run "
        "`headstart sync` when MLflow works again.",
        file=sys.stderr,
    )


def now_ms() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return time.time_ns() // 1_000_000


def reason(error: Exception) -> str:
    """The first line of the error's message, without secrets, or the name of its type."""
    return hide((str(error).strip().splitlines() or [type(error).__name__])[0].rstrip("."))
