"""Files and folders that are written beside their place, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: Path, shared: bool = False) -> Iterator[Path]:
    """Where to write what is to become `path`: a file, or a folder that the caller makes.

    It gets its name when the block ends. So a reader finds the old content or the whole new one,
    never a half. After an exception the old content stays and nothing partial is left; what a killed
    process left is removed by the next.

    Args:
        path: what is replaced; the folder above it is made.
        shared: whether other processes may write the same path at this moment: each has a partial file
            of its own then, which stays if the process is killed.
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
    finally:
        _remove(partial)


def _remove(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)  # an exception that passes must not be hidden
    else:
        partial.unlink(missing_ok=True)
