"""A stage's side of the process that tells MLflow (`tell` is the other side)."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from headstart.tracking.mlflow_settings import quiet

RUN = str(Path(__file__).parents[1] / "warm/run.py")


class Teller:
    """A separate process that tells MLflow of one stage; the stage waits for it at its end alone.

    The process ends with its stage, however the stage ends. A signal to the stage's process group
    does not reach it.
    """

    def __init__(self) -> None:
        paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-SE", RUN, "-m", "headstart.tracking.tell", str(os.getpid())],
            env=quiet(os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0,
        )  # fmt: skip
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        os.set_blocking(self._pipe, False)
        self._unsent = bytearray()

    def send(self, kind: str, content: Any) -> None:
        """Send a message without waiting; if the process has died, `answer` reports it."""
        self._unsent += (json.dumps({kind: content}) + "\n").encode()
        with suppress(BlockingIOError, BrokenPipeError):
            while self._unsent:
                del self._unsent[: os.write(self._pipe, self._unsent)]

    def answer(self, deadline_s: float) -> str | None:
        """Return the run's id when all is told; None if MLflow does not answer.

        After `deadline_s` seconds the process is ended. The next `publish-run` or `headstart sync`
        then tells the rest.
        """
        try:
            out, _ = self._process.communicate(bytes(self._unsent), timeout=deadline_s)
        except subprocess.TimeoutExpired:
            self._end()
            _say(TimeoutError(f"it had not taken all {deadline_s:g} s after the stage"))
            return None
        if self._process.returncode:
            _say(ChildProcessError("the logging process ended early"))
        return out.decode().strip() or None

    def _end(self) -> None:
        """Kill the process, and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()


def _say(error: Exception) -> None:
    from headstart.tracking.runs import say_down  # late: a stage starts without pydantic

    say_down(error)


_begun: list[Teller] = []


def begin() -> None:
    """Start the process of a run that begins later, so that MLflow is imported by then."""
    _begun.append(Teller())


def take() -> Teller:
    """The process that `begin` started, or a new one."""
    return _begun.pop() if _begun else Teller()
