"""The one folder that no stage declares: intermediate results that later or interrupted runs reuse.

DVC removes a stage's outs before it runs, so what is to survive lies here. A folder's key holds all
that shapes the bits in it: params, versions, the bytes they were made from, and the code that made
them (`code_digest`). Other inputs find another folder. Deleting all of it costs only time.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from headstart.project.beside import written_beside

_FOLDER = ".headstart/work"
_PACKAGE = Path(__file__).parents[1]


@contextmanager
def work_folder(kind: str, key: Mapping[str, Any]) -> Iterator[Path]:
    """The folder of `key` (JSON values) among those of `kind`, held by one process at a time.

    It lies in the project's own folder, so a queued experiment, whose copy is temporary, finds it
    too. It keeps what is written in it, unless the caller removes it.
    """
    from filelock import FileLock, Timeout  # late: a note needs none, and it takes 40 ms

    folder = note_place(kind, key)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"Waiting for another run, which is making the same ({folder}) …", file=sys.stderr)
        lock.acquire()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    finally:
        lock.release()


def note_place(kind: str, key: Mapping[str, Any]) -> Path:
    """Where what is kept for `key` lies: a folder (see `work_folder`), or a note, one small file."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return Path(os.environ.get("DVC_ROOT", "."), _FOLDER, kind, digest)


def kept(kind: str, key: Mapping[str, Any], make: Callable[[Path], object]) -> Path:
    """The folder that `make` filled for this key, now or in an earlier run.

    It gets its name only when `make` has returned.
    """
    with work_folder(kind, key) as work:
        done = work / "done"
        if not done.exists():
            with written_beside(done) as partial:
                partial.mkdir()
                make(partial)
        return done


@cache
def code_digest(*rooms: str) -> str:
    """sha256 (hex) of the source files of `rooms`, for keys of what their code shapes.

    Who makes what is kept names the rooms of its import closure, as dvc.yaml does for a stage. So an
    edit elsewhere, as of the command line, throws nothing away. A test holds the names against the
    imports.

    Args:
        rooms: folders below the package (`pictures`), or one file (`steps/resize.py`); none of them:
            the whole package.

    Raises:
        FileNotFoundError: there is no such room.
    """
    digest = hashlib.sha256()
    for file in sorted({file for room in rooms or (".",) for file in _sources(_PACKAGE / room)}):
        digest.update(f"{file.relative_to(_PACKAGE).as_posix()}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(room: Path) -> list[Path]:
    files = [room] if room.is_file() else list(room.rglob("*.py"))
    if not files:
        raise FileNotFoundError(f"{room} is no room: it holds no source file.")
    return files
