"""Workers of a Ray cluster: the only module that knows Ray.

Each shard is a Ray task, which Ray gives to another worker if one dies, or its whole machine. Ray Data
is not used: its order and its batches depend on the size of its blocks, and so would the bits.
"""

import logging
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from headstart.cluster.jobs import Needs, Shard, begin_worker, run_shard, settings
from headstart.project.errors import HeadstartError
from headstart.project.short import first_line
from headstart.project.workers import n_workers

LOCAL, RUNNING = "local", "auto"  # values of HEADSTART_RAY that are no address
FREE_S = 10.0  # for a free core, before the user is told that there is none
AGAIN_S = 60.0  # until the user is told again
_STORE_BYTES = 500_000_000  # of a local Ray, for shards on their way back
_RETRIES = 3  # of a task whose worker or machine dies
_PACKAGE = Path(__file__).parents[1]


class RayWorkers:
    """Workers of the cluster that HEADSTART_RAY names.

    Attributes:
        ships: whether pictures travel with their shards: on a cluster, unless HEADSTART_SHARED is 1.
    """

    def __init__(self, address: str, environment: Mapping[str, str]) -> None:
        """Join the cluster, or start one on this machine.

        Args:
            address: local, auto, or host:port.
            environment: of this process.

        Raises:
            HeadstartError: Ray is not installed, or there is no such cluster, or it refuses.
        """
        self._ray = _joined(address)
        self._environment = dict(environment)
        self._where = "Ray on this machine" if address == LOCAL else f"Ray's cluster ({address})"
        self.ships = address != LOCAL and environment.get("HEADSTART_SHARED") != "1"
        self._jobs: dict[str, Any] = {}
        self._ready: set[Needs] = set()

    def begin(self, needs: Needs) -> int:
        """Wait for a first free worker, and return how many there may be.

        Raises:
            HeadstartError: no machine of the cluster has what is needed.
        """
        asked = self._asked(needs)
        n = sum(_n_fit(node, asked) for node in self._nodes())
        if n == 0:
            raise HeadstartError(
                f"{self._where} has no machine with {_phrase(asked)}, which a worker needs here: it "
                f"has {self._resources()}. HEADSTART_THREADS sets the cores of a worker."
            )
        if asked not in self._ready:
            self._wait_for_free(asked)
            self._ready.add(asked)
        return n

    def open(self, key: str, content: Callable[[], bytes]) -> None:
        """Put the job into the object store, from which each worker process takes it once."""
        if key not in self._jobs:
            while len(self._jobs) > 1:  # drop the oldest, whose shards have all come back
                del self._jobs[next(iter(self._jobs))]
            self._jobs[key] = self._ray.put(content())

    def submit(self, key: str, shard: Shard, needs: Needs) -> "Future[bytes]":
        """Have a shard made by any worker of the cluster."""
        asked = self._asked(needs)
        task = self._task(asked, _RETRIES)
        variables = settings(self._environment, asked)
        made: Future[bytes] = task.remote(variables, key, [self._jobs[key]], shard).future()
        return made

    def drop(self, future: "Future[bytes]") -> None:
        """Nothing: Ray ends the tasks of a driver that has ended."""

    def reason(self, error: BaseException) -> BaseException:
        """The error of the job, or a sentence about the cluster."""
        if isinstance(error, self._ray.exceptions.RayTaskError):
            cause = getattr(error, "cause", None)
            return cause if isinstance(cause, Exception) else error
        if isinstance(error, self._ray.exceptions.WorkerCrashedError):
            return HeadstartError(
                f"{1 + _RETRIES} workers of {self._where} died while they made the same pictures: "
                "often because memory is short."
            )
        if isinstance(error, self._ray.exceptions.RayError):
            return HeadstartError(f"{self._where} has failed: {first_line(error)}")
        return error

    def about(self) -> str:
        """What the cluster has, and what of it is free."""
        free = self._ray.available_resources()
        return (
            f"{self._where} has {self._resources()}, of which {free.get('CPU', 0):g} cores and "
            f"{free.get('GPU', 0):g} GPUs are free"
        )

    def _asked(self, needs: Needs) -> Needs:
        """A worker with a GPU also gets its share of the cores, to decode with."""
        shares = [
            int(of.get("CPU", 0) // of["GPU"]) for of in self._nodes() if of.get("GPU", 0) >= 1
        ]
        return Needs(max(1, min(shares, default=1)), True) if needs.gpu else needs

    def _nodes(self) -> list[Mapping[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _resources(self) -> str:
        nodes = self._nodes()
        cores, gpus = (sum(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
        return f"{len(nodes)} machine(s), {cores:g} cores and {gpus:g} GPUs"

    def _wait_for_free(self, asked: Needs) -> None:
        hello, wait_s = self._task(asked, _RETRIES).remote(None, "", [], None), FREE_S
        while not self._ray.wait([hello], timeout=wait_s)[0]:
            print(
                f"Waiting for {_phrase(asked)}: {self.about()}. Ctrl-C ends the wait; without "
                "HEADSTART_RAY this machine does the work alone.",
                file=sys.stderr,
                flush=True,
            )
            wait_s = AGAIN_S
        try:
            self._ray.get(hello)
        except Exception as error:
            reason = self.reason(error)
            if isinstance(reason, HeadstartError):
                raise reason from None
            raise HeadstartError(
                f"A worker of {self._where} cannot run headstart ({first_line(reason)}). Each machine "
                "needs the packages that this one has; headstart's own code is sent."
            ) from None

    def _task(self, asked: Needs, n_retries: int) -> Any:
        function = self._ray.remote(_in_ray)
        return function.options(
            num_cpus=asked.n_cores, num_gpus=int(asked.gpu), max_retries=n_retries
        )


def _in_ray(variables: Mapping[str, str], key: str, job: list[Any], shard: Shard | None) -> bytes:
    """Make a shard, in a worker; without one, only show that the worker can run."""
    if shard is None:
        return b""
    import ray  # the worker has it

    begin_worker(variables)
    return run_shard(key, partial(ray.get, *job), shard)  # in a list, so taken only when needed


def _n_fit(node: Mapping[str, float], asked: Needs) -> int:
    cores = int(node.get("CPU", 0) // asked.n_cores)
    return min(cores, int(node.get("GPU", 0))) if asked.gpu else cores


def _phrase(asked: Needs) -> str:
    cores = "a free core" if asked.n_cores == 1 else f"{asked.n_cores} free cores"
    return f"{cores} and a GPU" if asked.gpu else cores


def _joined(address: str) -> Any:
    """Ray, connected; its messages stay off the terminal."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    try:
        import ray
    except ImportError:
        raise HeadstartError(
            f"HEADSTART_RAY is {address!r}, but Ray is not installed: pip install 'headstart[ray]'."
        ) from None
    import ray._private.worker as told

    told.print_to_stdstream = _hear_nothing  # Ray has no switch for what its processes say
    common: dict[str, Any] = {
        "logging_level": logging.CRITICAL,
        "log_to_driver": False,
        "runtime_env": {"py_modules": [str(_PACKAGE)]},  # workers run this code, whatever they have
    }
    if address == LOCAL:
        own = {"num_cpus": n_workers(), "object_store_memory": _STORE_BYTES}
        common |= own | {"include_dashboard": False}
    elif address != RUNNING:
        _check_reachable(address)
    with _stderr_aside() as chatter:
        try:
            ray.init(address, **common)
        except Exception as error:
            raise HeadstartError(_why_not(address, error, chatter())) from None
    return ray


@contextmanager
def _stderr_aside() -> Iterator[Callable[[], str]]:
    """Keep what Ray's own code writes to the terminal in a file; yield how to read it."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as aside:

        def said() -> str:
            aside.seek(0)
            return aside.read()

        os.dup2(aside.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _hear_nothing(*_: Any, **__: Any) -> None:
    pass


def _check_reachable(address: str) -> None:
    """Refuse an address at which nobody listens, for which Ray would wait minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise HeadstartError(
            f"HEADSTART_RAY is {address!r}; it must be auto, local, or an address such as "
            "192.0.2.7:6379."
        )
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise HeadstartError(
            f"HEADSTART_RAY is {address!r}, but nobody answers there ({first_line(error)}): start "
            "Ray on that machine with `ray start --head`, or correct the address."
        ) from None


def _why_not(address: str, error: Exception, chatter: str) -> str:
    said = first_line(error)
    if any(word in f"{error}{chatter}" for word in ("AuthToken", "Unauthenticated")):
        return (
            f"HEADSTART_RAY is {address!r}, but that cluster refuses this machine's token: give all "
            "machines the same file ~/.ray/auth_token, and set RAY_AUTH_MODE=token on each."
        )
    if address == RUNNING:
        return (
            f"HEADSTART_RAY is auto, but no Ray runs on this machine ({said}): start it with "
            "`ray start --head`, or with `ray start --address=...` to join a cluster."
        )
    return (
        f"HEADSTART_RAY is {address!r}, but this machine cannot join that cluster ({said}): run "
        f"`ray start --address={address}` on it first."
    )
