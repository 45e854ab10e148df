"""The one folder that no stage declares: intermediate results that later or interrupted runs reuse.

DVC removes a stage's outs before the stage runs, so results that must survive lie here. A folder's
key holds everything that determines its content: params, versions, the bytes of the input, and the
code (`code_digest`). Other inputs get another folder. Deleting all of it costs only time.
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
from headstart.project.errors import HeadstartError

_FOLDER = ".headstart/work"
_PACKAGE = Path(__file__).parents[1]


@contextmanager
def work_folder(kind: str, key: Mapping[str, Any]) -> Iterator[Path]:
    """The work folder of `kind` for `key` (JSON values), held by one process at a time.

    The folder lies in the project's own folder, so a queued experiment, which runs in a temporary
    copy, finds it too. Its content stays unless the caller removes it.
    """
    from filelock import FileLock, Timeout  # late: takes 40 ms, and notes need no lock

    folder = note_place(kind, key)
    make_work_place(folder.parent)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"Waiting for another run that makes the same results ({folder}) …", file=sys.stderr)
        lock.acquire()
    try:
        make_work_place(folder)
        yield folder
    finally:
        lock.release()


def make_work_place(folder: Path) -> None:
    """Make a folder for kept work.

    Raises:
        HeadstartError: a file is in its place, such as one named .headstart.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        wrong = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        raise HeadstartError(
            f"{wrong.absolute()} is a file or a broken link, but headstart keeps its work in a folder "
            "of that name: move it away."
        ) from None


def note_place(kind: str, key: Mapping[str, Any]) -> Path:
    """Path of what is kept for `key`: a folder (see `work_folder`), or a note (one small file)."""
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
    """sha256 (hex) of the source files of `rooms`, for the keys of results that their code makes.

    A module that makes such results names the rooms of its import closure, as dvc.yaml does for a
    stage. So an edit elsewhere (of the command line, say) throws no result away. A test checks the
    names against the imports.

    Args:
        rooms: folders below the package (`pictures`), or files (`steps/resize.py`); without any, the
            whole package.

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
