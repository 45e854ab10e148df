"""Spreads the pictures of a job over workers, in shards, and gives their records in order.

A shard is cut by number, or by bytes where its pictures travel with it. Few shards are on their way at
a time, so memory stays flat. A shard that has come back is a file until its turn comes.
"""

import hashlib
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from headstart.cluster import chosen
from headstart.cluster.jobs import A_CORE, Job, Needs, Read, Shard, pickled
from headstart.cluster.shard_files import ShardFiles, unpacked
from headstart.kept.records import keeps_records
from headstart.kept.room import SHARDS, made_now, used_now
from headstart.project.errors import HeadstartError
from headstart.project.work import work_folder

N_BYTES = 64_000_000  # of the pictures that travel with a shard
N_DEATHS = 3  # of workers that make one shard and no other, before it is given up
QUIET_S = 60.0  # without any shard coming back, before the user is told so
_POLL_S = 1.0


class Workers(Protocol):
    """Processes that make shards, on this machine or on others."""

    @property
    def ships(self) -> bool:
        """Whether the pictures of a shard travel with it."""
        ...

    def begin(self, needs: Needs) -> int:
        """Get ready, and return how many shards may be made at once.

        Raises:
            HeadstartError: no worker has what is needed.
        """
        ...

    def open(self, key: str, content: Callable[[], bytes]) -> None:
        """Give all workers a pickled job, unless they have it."""
        ...

    def submit(self, key: str, shard: Shard, needs: Needs) -> Future[bytes]:
        """Have a shard made; BrokenExecutor is its error if its worker has died."""
        ...

    def drop(self, future: Future[bytes]) -> None:
        """Have a shard ended that nobody waits for any more, if these workers can."""
        ...

    def reason(self, error: BaseException) -> BaseException:
        """The error of the job itself, or a sentence about these workers."""
        ...

    def about(self) -> str:
        """A phrase about the workers, for a user who waits."""
        ...


@dataclass(frozen=True)
class Work:
    """Records that a job is to make.

    Attributes:
        job: what workers do; called if they have not opened it yet.
        about: JSON values that tell this job from any other that a worker may have open.
        shaped_by: JSON values, with `about` and `what`: all that determines a record beside its name.
        what: what differs between works of one job, such as the view; it can be pickled.
        read: reads a picture; it can be pickled where workers read for themselves.
        needs: what a worker needs.
    """

    job: Callable[[], Job]
    about: Mapping[str, Any]
    shaped_by: Mapping[str, Any]
    what: Any
    read: Read
    needs: Needs = A_CORE


def spread(workers: Workers, work: Work, names: Sequence[str]) -> Iterator[bytes]:
    """Yield the record of each name, in the order of `names`.

    Args:
        workers: who make them.
        work: how.
        names: of N pictures, each once. A picture's record must not depend on the others.

    Raises:
        HeadstartError: workers have died, or cannot be had, or cannot make the same bits.
        Exception: of the job.
    """
    with ExitStack() as held:
        folder = None
        if keeps_records():
            folder = held.enter_context(work_folder(SHARDS, work.shaped_by))
            used_now(folder)
        files = ShardFiles(folder)
        present = files.present(names)
        missing = [name for name in names if name not in present]
        made = _Made(workers, work, files, missing) if missing else None
        here: dict[str, bytes] = {}
        n_given = 0
        try:
            for name in names:
                if name not in here:
                    file = present.get(name)
                    if file is not None:
                        here |= unpacked(file.read_bytes())
                    elif made is not None:
                        file, records = made.next_shard()
                        here |= records
                    files.passed_on(file)
                n_given += 1
                yield here.pop(name)
        finally:
            if made is not None:
                made.drop()
            if n_given == len(names):  # also where the caller asks for no record after the last
                files.all_passed_on()
                if folder:
                    made_now(folder)


class _Made:
    """The shards of `names`, in order; a few are on their way.

    The death of a worker fails all of them, and does not tell at which it was. So each of them is then
    made alone.
    """

    def __init__(
        self, workers: Workers, work: Work, files: ShardFiles, names: Sequence[str]
    ) -> None:
        self._workers, self._work, self._files = workers, work, files
        self._n_ahead = 2 * workers.begin(work.needs) + 1
        read = None if workers.ships else work.read
        reader = hashlib.sha256(pickled(read)).hexdigest()
        self._key = json.dumps({**work.about, "reader": reader}, sort_keys=True)
        workers.open(self._key, lambda: pickled((work.job(), read)))
        self._shards = self._cut(names)
        self._waiting: deque[_OnItsWay] = deque()

    def next_shard(self) -> tuple[Path | None, Mapping[str, bytes]]:
        """The next shard: its file, and its records by name."""
        self._send()
        first, quiet_since = self._waiting[0], time.monotonic()
        while first.made is None:
            self._submit()
            under_way = {s.future: s for s in self._waiting if s.future is not None}
            done, _ = wait(under_way, _POLL_S, FIRST_COMPLETED)
            for future, shard in under_way.items():
                if future in done:
                    self._take(shard, future)
            if done:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > QUIET_S:
                print(
                    f"No shard has come back for {QUIET_S:.0f} s: {self._workers.about()}.",
                    file=sys.stderr,
                )
                quiet_since = time.monotonic()
        self._waiting.popleft()
        self._send()
        if isinstance(first.made, Path):
            return first.made, unpacked(first.made.read_bytes())
        return None, unpacked(first.made)

    def drop(self) -> None:
        """Let no worker go on with shards that have not come back."""
        for shard in self._waiting:
            if shard.future is not None:
                self._workers.drop(shard.future)

    def _send(self) -> None:
        """Keep as many shards on their way as memory and disk are to hold."""
        while len(self._waiting) < self._n_ahead:
            shard = next(self._shards, None)
            if shard is None:
                break
            self._waiting.append(_OnItsWay(shard))
        self._submit()

    def _submit(self) -> None:
        """Give workers all shards; after the death of one, those that failed one by one."""
        unmade = [shard for shard in self._waiting if shard.made is None]
        if suspects := [shard for shard in unmade if shard.suspect]:
            unmade = suspects[:1] if all(shard.future is None for shard in unmade) else []
        for shard in unmade:
            if shard.future is None:
                shard.future = self._workers.submit(self._key, shard.shard, self._work.needs)

    def _take(self, shard: "_OnItsWay", future: Future[bytes]) -> None:
        """Keep a shard that has come back; suspect it if a worker has died."""
        shard.future = None
        try:
            made = future.result()
        except BrokenExecutor:
            shard.n_deaths += shard.suspect  # a suspect was alone
            shard.suspect = True
            if shard.n_deaths == N_DEATHS:
                raise HeadstartError(
                    f"{N_DEATHS} workers died while they made nothing but the same "
                    f"{len(shard.shard.names)} pictures, from {shard.shard.names[0]} on: often "
                    "because memory is short."
                ) from None
        except Exception as error:
            raise self._workers.reason(error) from None
        else:
            shard.made = self._files.write(made) or made

    def _cut(self, names: Sequence[str]) -> Iterator[Shard]:
        if not self._workers.ships:
            for start in range(0, len(names), chosen.N_PICTURES):
                yield Shard(names[start : start + chosen.N_PICTURES], self._work.what, None)
            return
        files: dict[str, bytes] = {}
        n_bytes = 0
        for name in names:
            data = self._work.read(name)
            if files and (len(files) == chosen.N_PICTURES or n_bytes + len(data) > N_BYTES):
                yield Shard(list(files), self._work.what, files)
                files, n_bytes = {}, 0
            files[name] = data
            n_bytes += len(data)
        yield Shard(list(files), self._work.what, files)


@dataclass
class _OnItsWay:
    """A shard that the driver has cut.

    Attributes:
        shard: the pictures.
        future: the promise of its bytes, while a worker is to make it.
        made: its file or the bytes, once they have come.
        suspect: whether a worker died while it was under way.
        n_deaths: of workers that made this shard and no other.
    """

    shard: Shard
    future: Future[bytes] | None = None
    made: Path | bytes | None = None
    suspect: bool = False
    n_deaths: int = 0
