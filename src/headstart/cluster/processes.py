"""Workers on this machine without Ray: processes, and with GPUs one process a GPU."""

import atexit
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from headstart.cluster.jobs import Needs, Shard, begin_worker, run_shard, settings
from headstart.project.workers import n_workers

CUDA = "CUDA_VISIBLE_DEVICES"
# `atexit` would be too late: before it, concurrent.futures waits for all shards that were submitted.
_at_exit: Any = getattr(threading, "_register_atexit", atexit.register)


class Processes:
    """Processes that read the pictures for themselves. One that dies is replaced.

    Attributes:
        ships: False.
    """

    ships = False

    def __init__(self, n: int, gpus: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start nothing yet.

        Args:
            n: processes.
            gpus: as CUDA_VISIBLE_DEVICES names them; process i gets the i-th, modulo their number.
            environment: of this process.
        """
        self._n, self._gpus, self._environment = n, gpus, dict(environment)
        self._pool: ProcessPoolExecutor | None = None
        self._jobs = tempfile.TemporaryDirectory(prefix="headstart-jobs-")
        self._files: dict[str, Path] = {}
        self._wanted: dict[Future[bytes], Path] = {}  # a file that is there while a shard is wanted
        self._numbers = count()
        _at_exit(self.close)

    def begin(self, needs: Needs) -> int:
        """The number of processes; they start with the first shard."""
        return self._n

    def open(self, key: str, content: Callable[[], bytes]) -> None:
        """Write the job into a file, which each process reads once."""
        if key not in self._files:
            self._files[key] = Path(self._jobs.name, str(len(self._files)))
            self._files[key].write_bytes(content())

    def submit(self, key: str, shard: Shard, needs: Needs) -> "Future[bytes]":
        """Have a shard made, by new processes if one of the old ones has died."""
        wanted = Path(self._jobs.name, f"wanted.{next(self._numbers)}")
        wanted.touch()
        task = partial(run_shard, key, self._files[key].read_bytes, shard, wanted.exists)
        try:
            future = self._started().submit(task)
        except BrokenExecutor:
            self._pool = None
            future = self._started().submit(task)
        self._wanted[future] = wanted
        future.add_done_callback(self.drop)
        return future

    def drop(self, future: "Future[bytes]") -> None:
        """End a shard after the record that is being made.

        Its future is not cancelled: in Python 3.11 one that is cancelled keeps those after it waiting
        for ever if a process dies.
        """
        if wanted := self._wanted.pop(future, None):
            wanted.unlink(missing_ok=True)

    def reason(self, error: BaseException) -> BaseException:
        """The error of the job itself."""
        return error

    def about(self) -> str:
        """How many they are."""
        return f"{self._n} processes on this machine work on them"

    def close(self) -> None:
        """End the processes, and what they are still making."""
        for future in list(self._wanted):
            self.drop(future)
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._jobs.cleanup()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = get_context("spawn")  # a fork would copy torch's threads in whatever state
            numbers: Any = context.Queue()
            for number in range(self._n):
                numbers.put(number)
            share = Needs(n_cores=max(1, n_workers(self._environment) // self._n))
            variables = settings(self._environment, share)
            self._pool = ProcessPoolExecutor(
                self._n, context, _begin, (variables, numbers, self._gpus)
            )
        return self._pool


def _begin(variables: Mapping[str, str], numbers: Any, gpus: Sequence[str]) -> None:
    """Set up a worker process, which ends with the driver, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the driver drops the shards
    begin_worker(variables)
    number = numbers.get()
    if gpus:
        os.environ[CUDA] = gpus[number % len(gpus)]
    threading.Thread(target=_end_with_driver, daemon=True).start()


def _end_with_driver() -> None:
    driver = parent_process()
    if driver is not None:
        wait([driver.sentinel])
        os._exit(1)
