"""The process that tells MLflow of a stage's run (`teller` is the stage's end of it)."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout, suppress
from typing import Any

from headstart.tracking.records import Point
from headstart.tracking.runs import now_ms, say_down
from headstart.tracking.store import import_mlflow
from headstart.tracking.tracker import Tracker


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
    """What a `Teller` runs: MLflow is imported before there is anything to tell."""
    with redirect_stdout(sys.stderr):
        with suppress(ImportError):
            import_mlflow()
        run_id = tell(map(json.loads, sys.stdin))
    with suppress(BrokenPipeError):  # the stage was killed
        os.write(1, (run_id or "").encode())


if __name__ == "__main__":
    _main()
