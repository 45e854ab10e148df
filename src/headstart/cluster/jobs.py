"""What workers do: a job makes one record a picture. Every kind of worker runs the same function.

A job is opened once in a worker process, since that may load a network. Then the process takes one
shard of pictures after the other. So order, bits and kept work do not depend on where shards are made.
"""

import io
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any, Protocol

from headstart.cluster.shard_files import packed
from headstart.project.errors import HeadstartError

Read = Callable[[str], bytes]
"""Name of a picture -> its bytes."""

Make = Callable[[Sequence[str], Any, Read], Iterable[bytes]]
"""Names of pictures, what differs from call to call, their bytes -> one record a picture, in order."""

ENVIRONMENT = "HEADSTART_"  # prefix of the variables that workers share with the driver
WHERE = ("HEADSTART_RAY", "HEADSTART_PROCS", "HEADSTART_SHARED")  # only the driver's

_N_OPEN = 2  # jobs that a worker process keeps open
_open: OrderedDict[str, tuple[Make, Read]] = OrderedDict()


class Job(Protocol):
    """What workers do; it can be pickled (by `pickled`)."""

    def open(self) -> Make:
        """Get ready, once in a worker process.

        Raises:
            HeadstartError: this worker cannot make the same bits as the driver.
        """
        ...


@dataclass(frozen=True)
class Needs:
    """What a worker needs: cores, and whether a GPU."""

    n_cores: int = 1
    gpu: bool = False


A_CORE = Needs()


@dataclass(frozen=True)
class Shard:
    """Pictures for one worker.

    Attributes:
        names: of the pictures.
        what: JSON values that differ from call to call, such as which view.
        files: content by name; None where the worker reads them itself.
    """

    names: Sequence[str]
    what: Any
    files: Mapping[str, bytes] | None


class DroppedError(Exception):
    """The driver does not wait for a shard any more."""


def run_shard(
    key: str,
    content: Callable[[], bytes],
    shard: Shard,
    is_wanted: Callable[[], bool] = lambda: True,
) -> bytes:
    """Make the records of a shard, packed; runs in a worker process.

    Args:
        key: of the job, by which this process knows one that it has opened.
        content: fetches the pickled (job, reader) if it has not.
        shard: the pictures.
        is_wanted: whether the driver still waits for it; asked at the start and after each record.

    Raises:
        HeadstartError: as the job does; of this class alone, because others cannot all be pickled.
        DroppedError: the driver does not.
    """
    try:
        _require(is_wanted)
        make, shared = _opened(key, content)
        read = shared if shard.files is None else shard.files.__getitem__
        records = make(shard.names, shard.what, read)
        return packed(shard.names, _while_wanted(records, is_wanted))
    except HeadstartError as error:
        raise HeadstartError(str(error)) from None


def _while_wanted(records: Iterable[bytes], is_wanted: Callable[[], bool]) -> Iterator[bytes]:
    for record in records:
        _require(is_wanted)
        yield record


def _require(is_wanted: Callable[[], bool]) -> None:
    if not is_wanted():
        raise DroppedError


def _opened(key: str, content: Callable[[], bytes]) -> tuple[Make, Read]:
    opened = _open.pop(key, None)
    if opened is None:
        while len(_open) >= _N_OPEN:
            _open.popitem(last=False)
        job, read = pickle.loads(content())
        opened = job.open(), read
    _open[key] = opened  # the last used comes last
    return opened


def begin_worker(environment: Mapping[str, str]) -> None:
    """Set the variables of the driver in this worker process, which gives no work to others."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT)]:
        del os.environ[name]
    os.environ.update({k: v for k, v in environment.items() if k not in WHERE})


def settings(environment: Mapping[str, str], needs: Needs) -> dict[str, str]:
    """The variables that a worker gets: HEADSTART_*, and as many threads as it has cores."""
    ours = {k: v for k, v in environment.items() if k.startswith(ENVIRONMENT) and k not in WHERE}
    waits = {"OMP_WAIT_POLICY": environment.get("OMP_WAIT_POLICY", "PASSIVE")}
    return waits | ours | {"HEADSTART_WORKERS": str(needs.n_cores)}


class _Pickler(pickle.Pickler):
    """Pickles methods that a module got under another name, as folded batch norms have them."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, MethodType):
            return _method, (value.__func__, value.__self__)
        return NotImplemented


def _method(function: Callable[..., Any], owner: Any) -> MethodType:
    return MethodType(function, owner)


def pickled(value: Any) -> bytes:
    """A value as bytes for another process."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump(value)
    return buffer.getvalue()
