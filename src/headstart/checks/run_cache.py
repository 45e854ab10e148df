"""Folders of DVC's run cache that DVC left empty, and at which each later run would fail.

DVC makes such a folder, and then writes a file into it. If it is killed in between, each later
`dvc repro` of the stage ends with "join() argument must be str, ... not 'NoneType'" (3.67.1).
"""

import time
from configparser import ConfigParser, Error
from contextlib import suppress
from pathlib import Path

LOOKS_S = 0.2
"""Seconds between two looks: what DVC is just writing is whole at the second."""


def empty_folders(root: Path, looks_s: float = LOOKS_S) -> list[Path]:
    """The empty folders of the run cache.

    Args:
        root: the folder of .dvc.
        looks_s: seconds between two looks at a folder that is empty.
    """
    found = [folder for folder in (_cache(root) / "runs").glob("??/*") if _is_empty(folder)]
    if found:
        time.sleep(looks_s)
    return [folder for folder in found if _is_empty(folder)]


def remove_empty_folders(root: Path) -> None:
    """Remove them; one that has been filled meanwhile, or that may not be removed, stays."""
    for folder in empty_folders(root):
        with suppress(OSError):
            folder.rmdir()


def _cache(root: Path) -> Path:
    """The folder of DVC's cache, as the settings in .dvc have it."""
    settings = ConfigParser(interpolation=None, strict=False)
    with suppress(Error, OSError, UnicodeDecodeError):
        settings.read([root / ".dvc/config", root / ".dvc/config.local"], encoding="utf-8")
    named = settings.get("cache", "dir", fallback="cache").strip("'\"")
    return (root / ".dvc" / named).resolve()  # a relative one begins at the settings


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError:  # it is a file, or was removed, or may not be read
        return False
