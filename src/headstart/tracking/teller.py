"""A stage's end of the process that tells MLflow of its run (`tell` is the other end)."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


class Teller:
    """A process of its own that tells MLflow of one run, so that no stage waits for its imports.

    It ends with its stage, however that ends; a signal to the stage's group does not reach it.
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
        """Send a message, unless the process has gone: then `answer` says so."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({kind: content}) + "\n")
            self._process.stdin.flush()

    def answer(self) -> str | None:
        """Wait until all is told; the run's id, or None where MLflow does not answer."""
        out, _ = self._process.communicate()
        if self._process.returncode:
            from headstart.tracking.runs import say_down  # late: a stage starts without pydantic

            say_down(ChildProcessError("the process that tells it has gone"))
        return out.strip() or None


_begun: list[Teller] = []


def begin() -> None:
    """Start the process of a run that begins later, so that MLflow is imported by then."""
    _begun.append(Teller())


def take() -> Teller:
    """The process that was begun, or a new one."""
    return _begun.pop() if _begun else Teller()
