"""The live run of a stage: told to its record, and to MLflow by a process of its own.

Stages import this module first: under DVC, MLflow is then imported beside torch.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TypeVar

from headstart.project.report import Shown
from headstart.project.section import Section
from headstart.terminal import lines
from headstart.terminal.bars import Bars
from headstart.tracking.records import Point, RunRecord, write_run
from headstart.tracking.runs import now_ms, say_down
from headstart.tracking.state import flatten, numbers
from headstart.tracking.store import import_mlflow
from headstart.tracking.tracker import Tracker, origin

T = TypeVar("T")

FLUSH_EVERY_S = 1.0
RUN_BY_DVC = "DVC_STAGE"  # DVC sets it for the commands of its stages


class StageRun:
    """One run of a stage, told to MLflow while it goes and to its record in any case."""

    def __init__(self, stage: str, params: Mapping[str, Any]) -> None:
        """Start the run."""
        key = uuid.uuid4().hex
        self.record = RunRecord(
            key=key,
            stage=stage,
            started_ms=now_ms(),
            params={name: str(value) for name, value in params.items()},
            tags=origin() | {"headstart.stage": stage, "headstart.record": key},
        )
        self.line: tuple[str, Path] | None = None
        self._bars = Bars()
        self._teller = _begun.pop() if _begun else _Teller()
        self._n_flushed = 0
        self._flushed_at = time.monotonic()
        kept = ("params", "tags", "started_ms")
        start = {"name": stage, **{name: getattr(self.record, name) for name in kept}}
        self._teller.send("start", start)

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        """Yield `items` with a bar of `n` steps on stderr; no bar where stderr is no terminal."""
        return self._bars.over(items, n, label, shown)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Tell the metrics of one step (an epoch or an iteration, counted from 0)."""
        self._bars.tell(values)
        now = now_ms()
        self.record.points += [Point(k, float(v), step, now) for k, v in values.items()]
        if time.monotonic() - self._flushed_at > FLUSH_EVERY_S:
            self._flush()

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Tell the final metrics, nested as in the stage's metrics file."""
        self.log(numbers(values), step=0)

    def artifact(self, path: Path) -> None:
        """Show a small file (a picture, a CSV) with the run, as it is when the stage ends."""
        self.record.artifacts.append(str(path))

    def says(self, sentence: str, where: Path) -> None:
        """Say at the end what the stage did, and which file shows more (headstart.terminal.lines)."""
        self.line = sentence, where

    def close(self, status: str) -> None:
        """End the run as FINISHED, FAILED or KILLED."""
        self._bars.close()
        record = self.record
        record.ended_ms = now_ms()
        self._flush()
        end = {"status": status, "ended_ms": record.ended_ms, "artifacts": record.artifacts}
        self._teller.send("end", end)
        record.run_id = self._teller.answer()

    def _flush(self) -> None:
        if points := self.record.points[self._n_flushed :]:
            self._teller.send("points", points)
        self._n_flushed = len(self.record.points)
        self._flushed_at = time.monotonic()


@contextmanager
def stage_run(stage: str, run_file: Path, sections: Mapping[str, Section]) -> Iterator[StageRun]:
    """Track one run of `stage` with the params `sections`; write its record to `run_file`.

    At its end the stage says its line on stdout. A stage that raises leaves a failed run and no
    record, and its exception goes on.
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
    if run.line:
        sentence, where = run.line
        seconds = (run.record.ended_ms - run.record.started_ms) / 1000
        lines.tell(lines.line(stage, sentence, seconds, where))


class _Teller:
    """A process of its own that tells MLflow of one run, so that no stage waits for its imports.

    It ends with its stage, however that ends; a signal to the stage's group does not reach it.
    """

    def __init__(self) -> None:
        paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        environment.pop(RUN_BY_DVC, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "headstart.tracking.live"],
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
            say_down(ChildProcessError("the process that tells it has gone"))
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
            tracker.end(run_id, "KILLED", now_ms())
        tracker.say_missing()
        return run_id
    except Exception as error:
        say_down(error)
        for _ in messages:  # the stage does not wait for who does not read
            pass
        return None


def _main() -> None:
    """What a `_Teller` runs: MLflow is imported before there is anything to tell."""
    with redirect_stdout(sys.stderr):
        with suppress(ImportError):
            import_mlflow()
        run_id = tell(map(json.loads, sys.stdin))
    with suppress(BrokenPipeError):  # the stage was killed
        os.write(1, (run_id or "").encode())


# In a stage that DVC runs, MLflow is imported beside torch, from the first import on.
_begun = [_Teller()] if RUN_BY_DVC in os.environ else []

if __name__ == "__main__":
    _main()
