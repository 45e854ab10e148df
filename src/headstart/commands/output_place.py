"""Where an output goes whose path the user named: into a file as a whole, into a device or a pipe."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from headstart.project.beside import written_beside
from headstart.project.errors import HeadstartError

_OWN = (1, 2)  # descriptors of stdout and stderr


def is_stream(path: Path) -> bool:
    """Whether a path names no file, but a device, a pipe, or the stdout or stderr of this process.

    Raises:
        OSError: the system does not let anybody look.
    """
    try:
        about = path.stat()
    except FileNotFoundError:
        return False
    is_one = not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode))
    return is_one or _own(about) is not None


@contextmanager
def output_place(path: Path) -> Iterator[Path]:
    """Yield a temporary path, whose content goes to `path` when the block ends without an error.

    The caller writes a file there. A file appears under `path` as a whole. A link stays, and the file
    that it leads to is replaced. A device or a pipe, such as /dev/stdout, stays too and gets the bytes.

    Args:
        path: the folder above a file is made.

    Raises:
        HeadstartError: `path` is a disk.
        OSError: it cannot be written.
    """
    if not is_stream(path):
        with written_beside(path.resolve() if path.is_symlink() else path) as partial:
            yield partial
        return
    try:
        with _opened(path) as stream, tempfile.TemporaryDirectory() as folder:
            partial = Path(folder) / path.name
            yield partial
            with partial.open("rb") as written:
                shutil.copyfileobj(written, stream)
    except OSError as error:
        if error.filename is None:  # a write that fails does not say where
            error.filename = str(path)
        raise


def _opened(path: Path) -> BinaryIO:
    """A stream to write to; stdout and stderr go on where they are, also in a file."""
    about = path.stat()
    if stat.S_ISBLK(about.st_mode):
        raise HeadstartError(f"{path} is a disk, which would be overwritten: name a file.")
    own = _own(about)
    return path.open("wb") if own is None else os.fdopen(os.dup(own), "wb")


def _own(about: os.stat_result) -> int | None:
    """The descriptor of this process's stdout or stderr that is the file of `about`; None: neither."""
    for number in _OWN:
        with suppress(OSError):  # it is closed
            if os.path.samestat(about, os.fstat(number)):
                return number
    return None
