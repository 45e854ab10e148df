"""The one folder that no stage declares: work that later runs, or a broken-off one, go on with.

DVC removes a stage's outs before it runs, so what is to survive lies here. A folder's key holds all
that shapes the bits in it: other inputs find another folder. Deleting all of it costs only time.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = ".headstart/work"


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
        done, partial = work / "done", work / "partial"
        if not done.exists():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(done)
        return done


@cache
def code_digest() -> str:
    """sha256 (hex) of all source files of this package: for keys of what its code shapes."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package).as_posix()}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
