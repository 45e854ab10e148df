"""The workspace's stored pictures by id, as far as they are there."""

import shlex
from itertools import pairwise
from pathlib import Path

from PIL import Image

from headstart.pictures.resized import ResizedPictures
from headstart.project.errors import HeadstartError
from headstart.project.yaml_file import read_yaml
from headstart.reporting.thumbnails import Decode

RESIZING = "resize"


def stored_pictures(root: Path) -> tuple[Decode, frozenset[str]]:
    """A function: id -> stored picture, RGB; and the ids that it takes, none if the stage has not run.

    `root` holds dvc.yaml.
    """
    try:
        words = shlex.split(read_yaml(root / "dvc.yaml")["stages"][RESIZING]["cmd"])
        resized = ResizedPictures(root / dict(pairwise(words))["--resized"])
    except (KeyError, OSError, HeadstartError):
        nothing: dict[str, Image.Image] = {}
        return nothing.__getitem__, frozenset()
    return resized.decode, frozenset(resized.ids)
