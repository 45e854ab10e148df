"""The process that tells MLflow of a stage (`teller` is the stage's side of it)."""

from headstart.tracking.start import start

if __name__ == "__main__":
    start()  # before MLflow is loaded

import json
import os
import select
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from headstart.project.errors import HeadstartError
from headstart.tracking.deadline import deadline_s
from headstart.tracking.process import started_at
from headstart.tracking.records import Point, RunRecord
from headstart.tracking.runs import now_ms, say_down
from headstart.tracking.state import Row
from headstart.tracking.store import import_mlflow
from headstart.tracking.system_metrics import system_metrics
from headstart.tracking.tracker import Tracker, publish

Message = Mapping[str, Any]
LOOK_EVERY_S = 1.0
"""How often the process looks whether its stage still lives."""
GRACE_S = 1.0
"""By how much it outlives the deadline. A stage that lives ends it before, and says so."""


def tell(messages: Iterable[Message]) -> str | None:
    """Tell MLflow of one run as its messages arrive, or of a whole state.

    Args:
        messages: {"publish": ...}, {"served": ...}; or {"start": ...}, any number of
            {"points": ...}, {"end": ...}. If they stop without {"end": ...}, the stage was killed.

    Returns:
        the run's id; None if nothing started or MLflow does not answer. The latter is reported once.
    """
    messages = iter(messages)
    match next(messages, None):
        case {"publish": state}:
            return _publish(messages, **state)
        case {"start": run}:
            return _tell_run(run, messages)
    return None


def _publish(
    messages: Iterator[Message],
    row: Mapping[str, Any], records: Iterable[Any], artifacts: Iterable[str], model: str,
) -> str | None:  # fmt: skip
    def served(checkpoint: Path, folder: Path) -> Path:
        """The file that the stage has made meanwhile."""
        match next(messages, None):
            case {"served": path}:
                return Path(path)
        raise ChildProcessError("the stage ended before it was made")

    told = map(RunRecord.model_validate, records)
    return publish(Row(**row), told, map(Path, artifacts), Path(model), served)


def _tell_run(run: Mapping[str, Any], messages: Iterator[Message]) -> str | None:
    try:
        tracker, ended = Tracker(), False
        run_id = tracker.start(**run)
        with system_metrics(run_id):
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
        return None


def _receive(inbox: "SimpleQueue[Message | None]", stage: int) -> None:
    """Put each message of the process `stage` into `inbox`, then None; end this process in time."""
    line, started = b"", started_at(stage)
    while True:
        if select.select([0], [], [], LOOK_EVERY_S)[0]:
            if not (read := os.read(0, 1 << 16)):
                break
            *lines, line = (line + read).split(b"\n")
            for each in lines:
                inbox.put(json.loads(each))
        elif not started or started_at(stage) != started:
            break  # the stage has died, and a process that it has left keeps the pipe open
    inbox.put(None)
    with suppress(HeadstartError):  # the stage has refused the deadline
        time.sleep(deadline_s() + GRACE_S)
    os._exit(1)


def _main() -> None:
    """The main function of the process of a `Teller`; imports MLflow before the first message."""
    inbox: SimpleQueue[Message | None] = SimpleQueue()
    Thread(target=_receive, args=(inbox, int(sys.argv[1])), daemon=True).start()
    with redirect_stdout(sys.stderr):
        with suppress(ImportError):
            import_mlflow()
        run_id = tell(iter(inbox.get, None))
    with suppress(BrokenPipeError):  # the stage was killed
        os.write(1, (run_id or "").encode())


if __name__ == "__main__":
    _main()
