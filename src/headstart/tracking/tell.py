"""The process that logs a stage's run to MLflow (`teller` is the stage's side of it)."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout, suppress
from typing import Any

from headstart.tracking.records import Point
from headstart.tracking.runs import now_ms, say_down
from headstart.tracking.store import import_mlflow
from headstart.tracking.system_metrics import system_metrics
from headstart.tracking.tracker import Tracker


def tell(messages: Iterable[Mapping[str, Any]]) -> str | None:
    """Log one run to MLflow as its messages arrive.

    Args:
        messages: {"start": ...}, any number of {"points": ...}, {"end": ...}. If they stop without
            {"end": ...}, the stage was killed.

    Returns:
        the run's id; None if nothing started or MLflow does not answer. The latter is reported once.
    """
    messages = iter(messages)
    try:
        first = next(messages, None)
        if first is None:
            return None
        tracker, ended = Tracker(), False
        run_id = tracker.start(**first["start"])
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
        for _ in messages:  # drain stdin so that the stage never blocks on a full pipe
            pass
        return None


def _main() -> None:
    """The main function of the process of a `Teller`; imports MLflow before the first message."""
    with redirect_stdout(sys.stderr):
        with suppress(ImportError):
            import_mlflow()
        run_id = tell(map(json.loads, sys.stdin))
    with suppress(BrokenPipeError):  # the stage was killed
        os.write(1, (run_id or "").encode())


if __name__ == "__main__":
    _main()
