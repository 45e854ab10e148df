"""Writes files and folders beside their place, then renames them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: Path, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path, which becomes `path` when the block ends.

    The caller writes a file there, or makes a folder. A reader of `path` finds the old content or
    the whole new one, never a part. After an exception the old content stays and nothing partial is
    left. What a killed process left is removed by the next call.

    Args:
        path: the file or folder to replace; the folder above it is made.
        shared: whether other processes may write the same path at this moment. Each then has a partial
            file of its own, which stays if the process is killed.
    """
    own = f".{os.getpid()}" if shared else ""
    partial = path.with_name(f"{path.name}{own}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    try:
        yield partial
        if partial.is_dir() and path.is_dir():  # a rename replaces a file, but no full folder
            shutil.rmtree(path)
        partial.replace(path)
    except OSError as error:
        if error.filename is None:  # a write that fails does not say where
            error.filename = str(path)
        raise
    finally:
        _remove(partial)


def _remove(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)  # must not hide an exception that passes
    else:
        partial.unlink(missing_ok=True)
