"""The last state of an unfinished computation, such as a training, in a work folder.

A state is written beside its place, then renamed. Its name has the digest of its content, which is
checked when it is read. The room that states take counts as that of other kept work (`kept/room.py`).
"""

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from headstart.project.seals import content_digest
from headstart.project.work import note_place

if TYPE_CHECKING:
    from filelock import FileLock

STATES = "states"  # the kind of the work folders
_SUFFIX = ".state"


class DamagedStateWarning(UserWarning):
    """A state does not have the content that was written."""


class States:
    """The states of one key, which this process holds: only the last one is kept."""

    def __init__(self, stage: str, folder: Path, lock: "FileLock") -> None:
        self._stage, self._folder, self._lock = stage, folder, lock

    @classmethod
    def hold(cls, stage: str, key: Mapping[str, Any]) -> Self | None:
        """The states of a stage for `key` (JSON values); None if another process holds them."""
        from filelock import FileLock, Timeout  # late: takes 40 ms, and most stages end before

        folder = note_place(STATES, {"stage": stage, **key})
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        return cls(stage, folder, lock)

    def last(self) -> Path | None:
        """The file of the last state; None where there is none. A damaged one is removed."""
        for file in sorted(self._all(), key=lambda file: -file.stat().st_mtime_ns):
            if file.name == self._name(file):
                return file
            file.unlink()
            warnings.warn(
                f"The state {file} is damaged, so it is ignored.", DamagedStateWarning, stacklevel=2
            )
        return None

    def write(self, write: Callable[[BinaryIO], object]) -> None:
        """Keep what `write` writes instead of the last state, if there is room for it.

        Raises:
            OSError: the disk is full or cannot be written; the last state stays.
        """
        from headstart.kept.room import make_room, wanted_gb  # late, as in `hold`

        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / "state.partial"
        try:
            with partial.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())  # so that it outlives a machine that goes down
            n_bytes, n_free = partial.stat().st_size, shutil.disk_usage(self._folder).free
            if make_room(self._folder, n_bytes, wanted_gb(os.environ), n_free) < n_bytes:
                return
            state = partial.replace(self._folder / self._name(partial))
            for old in self._all():
                if old != state:
                    old.unlink()
        finally:
            partial.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all states of the key."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def release(self) -> None:
        """Let other processes have them."""
        self._lock.release()

    def _all(self) -> list[Path]:
        return list(self._folder.glob(f"*{_SUFFIX}"))

    def _name(self, file: Path) -> str:
        return f"{self._stage}.{content_digest(file)}{_SUFFIX}"


def any_states(stage: str) -> bool:
    """Whether there is any state of the stage; without one, nobody needs to know its key."""
    return any(note_place(STATES, {}).parent.glob(f"*/{stage}.*{_SUFFIX}"))


def digest_of(files: Iterable[Path]) -> str:
    """A digest (hex) of the names and the contents of `files`, each a file or a folder of files."""
    digest = hashlib.sha256()
    for path in files:
        for file in _files(path):
            digest.update(f"{file.relative_to(path).as_posix()} {content_digest(file)}\n".encode())
    return digest.hexdigest()


def n_bytes_of(files: Iterable[Path]) -> int:
    """Bytes of `files`, each a file or a folder of files."""
    return sum(file.stat().st_size for path in files for file in _files(path))


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
