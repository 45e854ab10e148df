"""How much room kept work may take (HEADSTART_KEEP_GB), and what gives way.

Folders of two kinds share the room: records, and files of smaller copies. A file that is removed while
another process reads it stays readable there, as it is mapped into memory.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from headstart.kept.places import DATA
from headstart.project.errors import HeadstartError

RECORDS, COPIES = "records", "copies"  # kinds of work folders

_FREE_FRAC = 0.25  # of the space that is free without any kept work


def wanted_gb(environment: Mapping[str, str]) -> float | None:
    """HEADSTART_KEEP_GB; None where it is not set: a quarter of the free space then.

    Raises:
        ValueError: it is no number of at least 0.
    """
    wanted = environment.get("HEADSTART_KEEP_GB")
    if not wanted:
        return None
    try:
        gb = float(wanted)
    except ValueError:
        gb = -1.0
    if not 0 <= gb < float("inf"):
        raise HeadstartError(f"HEADSTART_KEEP_GB is {wanted!r}; it must be a number of at least 0.")
    return gb


def used_now(folder: Path) -> None:
    """Note that a work folder is in use: those used least lately give way first."""
    os.utime(folder)


def make_room(folder: Path, n_bytes: int, wanted_gb: float | None, n_free: int) -> int:
    """Remove others than `folder` until it may have `n_bytes`; how many it may have then.

    Folders that only tell where records lie in an out go last: they are small. Other processes make
    room, too: a folder may go away at any time. One that a process holds stays.

    Args:
        folder: of records or of copies.
        n_bytes: that it is to have.
        wanted_gb: limit of all of them together; None: a part of what is free without them.
        n_free: bytes that are free on the disk.
    """
    others = dict(_all_used(folder.parents[1]))
    others.pop(folder, None)
    free = n_free + sum(used.n_bytes for used in others.values()) + n_bytes
    limit = int(free * _FREE_FRAC if wanted_gb is None else wanted_gb * 1e9)
    for path in sorted(others, key=lambda path: (others[path].points, others[path].mtime)):
        if sum(used.n_bytes for used in others.values()) + n_bytes <= limit:
            break
        try:
            with FileLock(path.with_name(f"{path.name}.lock"), timeout=0):
                with suppress(FileNotFoundError):
                    shutil.rmtree(path)
                del others[path]
        except Timeout:  # another process works with it
            continue
    return limit - sum(used.n_bytes for used in others.values())


def made_now(folder: Path) -> None:
    """Let others give way to a folder that was made whole, whatever the limit: it is in use."""
    make_room(folder, _used(folder).n_bytes, wanted_gb(os.environ), shutil.disk_usage(folder).free)


class _Used(NamedTuple):
    """A folder's bytes, when it was used last (s since the epoch), and whether it only points."""

    n_bytes: int
    mtime: float
    points: bool


def _all_used(work: Path) -> Iterator[tuple[Path, _Used]]:
    for kind in (RECORDS, COPIES):
        for path in (work / kind).glob("*/"):
            with suppress(FileNotFoundError):  # it is being removed
                yield path, _used(path)


def _used(path: Path) -> _Used:
    sizes = {file: file.stat().st_size for file in path.rglob("*") if not file.is_dir()}
    return _Used(sum(sizes.values()), path.stat().st_mtime, sizes.get(path / DATA) == 0)
