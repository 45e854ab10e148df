"""The workspace's stored pictures by id, as far as they are there."""

import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from PIL import Image

from headstart.pictures.resized import ResizedPictures
from headstart.project.errors import HeadstartError
from headstart.project.yaml_file import read_yaml


def stored_pictures(root: Path) -> Callable[[str], Image.Image | None]:
    """Return a function: id -> the stored picture, RGB; None for a picture that is not stored.

    `root` holds dvc.yaml. If its pictures are not computed, none is stored.
    """
    try:
        words = shlex.split(read_yaml(root / "dvc.yaml")["stages"]["resize"]["cmd"])
        resized = ResizedPictures(root / dict(pairwise(words))["--resized"])
    except (KeyError, OSError, HeadstartError):
        return lambda _: None
    stored = frozenset(resized.ids)
    return lambda picture: resized.decode(picture) if picture in stored else None
