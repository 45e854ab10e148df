"""MLflow's tracking server as a process that a test starts, kills, and starts again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import requests

START_S = 300.0  # of a busy machine; an idle one takes 4
OURS = ("MLFLOW_", "HEADSTART_", "DVC_")
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # nine processes more, for what nobody here asks
}


def free_port() -> int:
    """A port of localhost that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """A server that keeps runs in `store` and files below `artifacts`, at one address for good."""

    def __init__(
        self, folder: Path, store: str, artifacts: str, *options: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._port = str(free_port())
        self.address = f"http://127.0.0.1:{self._port}"
        self._log = folder / "server.log"
        self._command = [
            sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store,
            "--artifacts-destination", artifacts, "--port", self._port, "--workers", "1", *options,
        ]  # fmt: skip
        outer = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self._environment = outer | SETTINGS | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, cwd=self._log.parent,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(requests.ConnectionError):
                if requests.get(f"{self.address}/health", timeout=5).ok:
                    return
            time.sleep(0.1)
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        """End it and all that it has started, in the middle of whatever it does."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
