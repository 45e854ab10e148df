"""A stage's side of the process that logs its run to MLflow (`tell` is the other side)."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


class Teller:
    """A separate process that logs one run to MLflow; the stage does not wait for MLflow's imports.

    The process ends with its stage, however the stage ends. A signal to the stage's process group
    does not reach it.
    """

    def __init__(self) -> None:
        paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "headstart.tracking.tell"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, encoding="utf-8", process_group=0,
        )  # fmt: skip

    def send(self, kind: str, content: Any) -> None:
        """Send a message; if the process has died, `answer` reports it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({kind: content}) + "\n")
            self._process.stdin.flush()

    def answer(self) -> str | None:
        """Wait until all is logged; return the run's id, or None if MLflow does not answer."""
        out, _ = self._process.communicate()
        if self._process.returncode:
            from headstart.tracking.runs import say_down  # late: a stage starts without pydantic

            say_down(ChildProcessError("the logging process ended early"))
        return out.strip() or None


_begun: list[Teller] = []


def begin() -> None:
    """Start the process of a run that begins later, so that MLflow is imported by then."""
    _begun.append(Teller())


def take() -> Teller:
    """The process that `begin` started, or a new one."""
    return _begun.pop() if _begun else Teller()
