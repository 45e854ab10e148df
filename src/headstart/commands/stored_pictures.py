"""The workspace's stored pictures by id, as far as they are there."""

from pathlib import Path

from PIL import Image

from headstart.pictures.resized import ResizedPictures
from headstart.project.errors import HeadstartError
from headstart.reporting.thumbnails import Decode
from headstart.use.results import Project

RESIZING = "resize"


def stored_pictures(root: Path) -> tuple[Decode, frozenset[str]]:
    """A function: id -> stored picture, RGB; and the ids that it takes, none if the stage has not run.

    `root` holds dvc.yaml.
    """
    try:
        resized = ResizedPictures(Project(root).file(RESIZING, "--resized"))
    except (OSError, HeadstartError):
        nothing: dict[str, Image.Image] = {}
        return nothing.__getitem__, frozenset()
    return resized.decode, frozenset(resized.ids)
