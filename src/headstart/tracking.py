"""The only module that knows MLflow: a live run a stage, and one complete row a state.

A tracker that is down costs no result: the run's file keeps all that was told, and the next
`publish-run` or `headstart sync` logs it.
"""

import json
import os
import re
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TypeVar

from headstart.core.section import Section
from headstart.core.state import Row, flatten, numbers
from headstart.store.runs import Point, RunRecord, write_run

T = TypeVar("T")

FLUSH_EVERY_S = 1.0
LOCK_TIMEOUT_S = 60.0
RUN_BY_DVC = "DVC_STAGE"  # DVC sets it for the commands of its stages
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

        _import_mlflow()
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
        return self.find({"headstart.state": state, "headstart.complete": "true"}) is not None

    def add_row(self, row: Row, records: Iterable[RunRecord], artifacts: Iterable[str] = ()) -> str:
        """Write one complete row, nest the stage runs that no row has used yet; return its id."""
        runs = {record.stage: self.ensure(record) for record in records}
        tags = _tags() | {"headstart.state": row.state}
        tags |= {f"headstart.run.{stage}": run_id for stage, run_id in runs.items()}
        name, now = os.environ.get("DVC_EXP_NAME", row.state[:8]), _now_ms()
        row_id = self.start(name, row.params, tags, now)
        self.log_points(row_id, [Point(key, value, 0, now) for key, value in row.metrics.items()])
        for run_id in runs.values():
            if "mlflow.parentRunId" not in self.client.get_run(run_id).data.tags:
                self.client.set_tag(run_id, "mlflow.parentRunId", row_id)
        self.client.set_tag(row_id, "headstart.complete", "true")
        self.end(row_id, "FINISHED", _now_ms(), artifacts)
        return row_id


class StageRun:
    """One run of a stage, told to MLflow while it goes and to its record in any case."""

    def __init__(self, stage: str, params: Mapping[str, Any]) -> None:
        """Start the run."""
        key = uuid.uuid4().hex
        self.record = RunRecord(
            key=key,
            stage=stage,
            started_ms=_now_ms(),
            params={name: str(value) for name, value in params.items()},
            tags=_tags() | {"headstart.stage": stage, "headstart.record": key},
        )
        self._teller = _begun.pop() if _begun else _Teller()
        self._n_flushed = 0
        self._flushed_at = time.monotonic()
        kept = ("params", "tags", "started_ms")
        start = {"name": stage, **{name: getattr(self.record, name) for name in kept}}
        self._teller.send("start", start)

    def progress(self, items: Iterable[T], n: int, label: str) -> Iterator[T]:
        """Yield `items` with a bar of `n` steps on stderr; no bar where stderr is no terminal."""
        from tqdm import tqdm

        yield from tqdm(items, total=n, desc=label, file=sys.stderr, disable=None)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Tell the metrics of one step (an epoch or an iteration, counted from 0)."""
        now = _now_ms()
        self.record.points += [Point(k, float(v), step, now) for k, v in values.items()]
        if time.monotonic() - self._flushed_at > FLUSH_EVERY_S:
            self._flush()

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Tell the final metrics, nested as in the stage's metrics file."""
        self.log(numbers(values), step=0)

    def artifact(self, path: Path) -> None:
        """Show a small file (a picture, a CSV) with the run, as it is when the stage ends."""
        self.record.artifacts.append(str(path))

    def close(self, status: str) -> None:
        """End the run as FINISHED, FAILED or KILLED."""
        record = self.record
        record.ended_ms = _now_ms()
        self._flush()
        end = {"status": status, "ended_ms": record.ended_ms, "artifacts": record.artifacts}
        self._teller.send("end", end)
        record.run_id = self._teller.answer()

    def _flush(self) -> None:
        if points := self.record.points[self._n_flushed :]:
            self._teller.send("points", points)
        self._n_flushed = len(self.record.points)
        self._flushed_at = time.monotonic()


class _Teller:
    """A process of its own that tells MLflow of one run, so that no stage waits for its imports.

    It ends with its stage, however that ends; a signal to the stage's group does not reach it.
    """

    def __init__(self) -> None:
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        environment.pop(RUN_BY_DVC, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "headstart.tracking"],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, encoding="utf-8", process_group=0,
        )  # fmt: skip

    def send(self, kind: str, content: Any) -> None:
        """Send a message, unless the process has gone: then `answer` says so."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({kind: content}) + "\n")
            self._process.stdin.flush()

    def answer(self) -> str | None:
        """Wait until all is told; the run's id, or None where MLflow does not answer."""
        out, _ = self._process.communicate()
        if self._process.returncode:
            _warn(ChildProcessError("the process that tells it has gone"))
        return out.strip() or None


def tell(messages: Iterable[Mapping[str, Any]]) -> str | None:
    """Tell MLflow of one run as its messages come.

    Args:
        messages: {"start": ...}, any number of {"points": ...}, {"end": ...}. Where they stop before
            the last, the stage was killed.

    Returns:
        the run's id; None where nothing started or MLflow does not answer, which is said once.
    """
    messages = iter(messages)
    try:
        first = next(messages, None)
        if first is None:
            return None
        tracker, ended = Tracker(), False
        run_id = tracker.start(**first["start"])
        for message in messages:
            match message:
                case {"points": points}:
                    tracker.log_points(run_id, [Point(*point) for point in points])
                case {"end": end}:
                    tracker.end(run_id, **end)
                    ended = True
        if not ended:
            tracker.end(run_id, "KILLED", _now_ms())
        return run_id
    except Exception as error:
        _warn(error)
        for _ in messages:  # the stage does not wait for who does not read
            pass
        return None


@contextmanager
def stage_run(stage: str, run_file: Path, sections: Mapping[str, Section]) -> Iterator[StageRun]:
    """Track one run of `stage` with the params `sections`; write its record to `run_file`.

    A stage that raises leaves a failed run and no record, and its exception goes on.
    """
    params = {name: section.model_dump(mode="json") for name, section in sections.items()}
    run = StageRun(stage, flatten(params))
    try:
        yield run
    except BaseException as error:
        run.close("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    run.close("FINISHED")
    write_run(run_file, run.record)


def publish(row: Row, records: Iterable[RunRecord], artifacts: Iterable[Path] = ()) -> str | None:
    """Write one complete row for a state; return its run id, or None where the tracker is down."""
    try:
        return Tracker().add_row(row, records, map(str, artifacts))
    except Exception as error:
        _warn(error)
        return None


def _warn(error: Exception) -> None:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    print(
        f"MLflow at {tracking_uri()} does not answer ({reason[0]}). The result is kept; "
        "`headstart sync` logs it when MLflow is back.",
        file=sys.stderr,
    )


def _tags() -> dict[str, str]:
    """Where this run comes from: the commit and the name of the experiment, where there are any."""
    tags = {"headstart.experiment": os.environ.get("DVC_EXP_NAME", "")}
    command = ["git", "rev-parse", "HEAD"]
    with suppress(OSError):
        head = subprocess.run(command, capture_output=True, text=True, check=False)
        tags["mlflow.source.git.commit"] = head.stdout.strip() if head.returncode == 0 else ""
    return {name: value for name, value in tags.items() if value}


def _name(key: str) -> str:
    """`key` with what MLflow takes in a name; class names may hold anything."""
    return re.sub(r"[^\w.\- ]", "_", key)[:250]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _main() -> None:
    """What a `_Teller` runs: MLflow is imported before there is anything to tell."""
    with redirect_stdout(sys.stderr):
        with suppress(ImportError):
            _import_mlflow()
        run_id = tell(map(json.loads, sys.stdin))
    with suppress(BrokenPipeError):  # the stage was killed
        os.write(1, (run_id or "").encode())


def _import_mlflow() -> None:
    """What `Tracker` needs of it, and nothing opened yet."""
    for name, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's use of its own dependencies is not ours
        import mlflow  # noqa: F401

        if not tracking_uri().startswith("http"):
            from mlflow.store.tracking import sqlalchemy_store  # noqa: F401


# In a stage that DVC runs, MLflow is imported beside torch, from the first import on.
_begun = [_Teller()] if RUN_BY_DVC in os.environ else []

if __name__ == "__main__":
    _main()
