"""The live run of a stage, logged to its record and, by a separate process, to MLflow."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from headstart.project.report import Shown, Silent
from headstart.project.section import Section
from headstart.terminal import lines
from headstart.terminal.bars import Bars
from headstart.terminal.processes import is_first
from headstart.tracking import teller
from headstart.tracking.deadline import deadline_s
from headstart.tracking.origin import origin
from headstart.tracking.records import Point, RunRecord, write_run
from headstart.tracking.runs import now_ms
from headstart.tracking.state import flatten, results
from headstart.tracking.surroundings import surroundings

T = TypeVar("T")

FLUSH_EVERY_S = 1.0


class StageRun:
    """One run of a stage, logged to MLflow while it runs, and to its record in any case."""

    def __init__(self, stage: str, params: Mapping[str, Any]) -> None:
        """Start the run.

        Raises:
            HeadstartError: HEADSTART_TRACKER_S is malformed.
        """
        self._deadline_s = deadline_s()
        key = uuid.uuid4().hex
        self.record = RunRecord(
            key=key,
            stage=stage,
            started_ms=now_ms(),
            params={name: str(value) for name, value in params.items()},
            tags=origin(f"stages/{stage.replace('-', '_')}.py")
            | surroundings()
            | {"headstart.stage": stage, "headstart.record": key},
        )
        self.line: tuple[str, Path] | None = None
        self.last_of_all: list[Callable[[], object]] = []
        self._bars = Bars()
        self._teller = teller.take()
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
        """Log the metrics of one step (an epoch or an iteration, counted from 0).

        Whole numbers (the epoch, the cycle) are no metrics: they are shown, and not logged.
        """
        self._bars.tell(values)
        now = now_ms()
        logged = {k: float(v) for k, v in values.items() if not isinstance(v, int)}
        self.record.points += [Point(k, v, step, now) for k, v in logged.items()]
        if time.monotonic() - self._flushed_at > FLUSH_EVERY_S:
            self._flush()

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Log the final metrics, nested as in the stage's metrics file.

        A metric that has a curve already gets no further point: it would be a second one at step 0.
        """
        curves = {point.key for point in self.record.points}
        self.log({k: v for k, v in results(values).items() if k not in curves}, step=0)

    def artifact(self, path: Path) -> None:
        """Show a small file (a picture, a CSV) with the run, as it is when the stage ends."""
        self.record.artifacts.append(str(path))

    def says(self, sentence: str, where: Path) -> None:
        """Set the line to print at the end: what the stage did, and which file shows more."""
        self.line = sentence, where

    @property
    def name(self) -> str:
        """The stage."""
        return self.record.stage

    @property
    def params(self) -> Mapping[str, str]:
        """All values of the sections that the stage loads, by dotted key."""
        return self.record.params

    def goes_on(self, where: str) -> None:
        """Say that the stage goes on where an earlier run was broken off, such as "at epoch 5 of 7"."""
        lines.tell(lines.goes_on(self.name, where))

    def at_end(self, do: Callable[[], object]) -> None:
        """Call `do` last of all, if the stage ends well."""
        self.last_of_all.append(do)

    def close(self, status: str) -> None:
        """End the run as FINISHED, FAILED or KILLED; wait for MLflow until the deadline at most."""
        self._bars.close()
        record = self.record
        record.ended_ms = now_ms()
        self._flush()
        end = {"status": status, "ended_ms": record.ended_ms, "artifacts": record.artifacts}
        self._teller.send("end", end)
        record.run_id = self._teller.answer(self._deadline_s)

    def _flush(self) -> None:
        if points := self.record.points[self._n_flushed :]:
            self._teller.send("points", points)
        self._n_flushed = len(self.record.points)
        self._flushed_at = time.monotonic()


class AsideRun(Silent):
    """The run of a stage in a process that only helps the first one, which tells and keeps it."""

    def __init__(self, stage: str, params: Mapping[str, Any]) -> None:
        self.name = stage
        self.params: Mapping[str, str] = {name: str(value) for name, value in params.items()}

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Do nothing."""

    def artifact(self, path: Path) -> None:
        """Do nothing."""

    def says(self, sentence: str, where: Path) -> None:
        """Do nothing."""

    def goes_on(self, where: str) -> None:
        """Do nothing."""

    def at_end(self, do: Callable[[], object]) -> None:
        """Do nothing."""


@contextmanager
def stage_run(
    stage: str, run_file: Path, sections: Mapping[str, Section]
) -> Iterator[StageRun | AsideRun]:
    """Track one run of `stage` with the params `sections`; write its record to `run_file`.

    Of several processes that run the stage together, the first alone does so.

    At the end, the stage's line is printed on stdout. If the stage raises, its run is FAILED or
    KILLED, no record is written, and the exception propagates.
    """
    params = {name: section.model_dump(mode="json") for name, section in sections.items()}
    if not is_first():
        yield AsideRun(stage, flatten(params))
        return
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
    for do in run.last_of_all:
        do()
