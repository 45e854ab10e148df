"""How much disk space kept work may take (HEADSTART_KEEP_GB), and what is removed first.

Folders of four kinds share the space: records, files of smaller copies, shards that wait for their
turn, and states of unfinished trainings. A removed file stays readable for a process that reads it,
because that process has mapped it into memory.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from headstart.kept.places import DATA
from headstart.kept.states import STATES
from headstart.project.errors import HeadstartError

RECORDS, COPIES, SHARDS = "records", "copies", "shards"  # kinds of work folders, beside STATES

_FREE_FRAC = 0.25  # of the space that would be free without any kept work


def wanted_gb(environment: Mapping[str, str]) -> float | None:
    """HEADSTART_KEEP_GB; None if it is not set, which means a quarter of the free space.

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
    """Mark a work folder as used now: the least recently used folders are removed first."""
    os.utime(folder)


def make_room(folder: Path, n_bytes: int, wanted_gb: float | None, n_free: int) -> int:
    """Remove other folders until `folder` may have `n_bytes`; return how many bytes it may have.

    Folders that only say where records lie in an out go last, as they are small. Other processes make
    room too, so a folder may vanish at any time. A folder that a process holds stays.

    Args:
        folder: of records, of copies or of a state.
        n_bytes: bytes that it is to have.
        wanted_gb: limit of all folders together; None: a quarter of the space that would be free
            without them.
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
    """Remove other folders to make up for a new one, which stays whatever the limit: it is in use."""
    make_room(folder, _used(folder).n_bytes, wanted_gb(os.environ), shutil.disk_usage(folder).free)


class _Used(NamedTuple):
    """A folder's bytes, its last use (s since the epoch), and whether it only points to outs."""

    n_bytes: int
    mtime: float
    points: bool


def _all_used(work: Path) -> Iterator[tuple[Path, _Used]]:
    for kind in (RECORDS, COPIES, SHARDS, STATES):
        for path in (work / kind).glob("*/"):
            with suppress(FileNotFoundError):  # it is being removed
                yield path, _used(path)


def _used(path: Path) -> _Used:
    sizes = {file: file.stat().st_size for file in path.rglob("*") if not file.is_dir()}
    return _Used(sum(sizes.values()), path.stat().st_mtime, sizes.get(path / DATA) == 0)
