"""The pictures that an exported file is held against its network on."""

from pathlib import Path

from headstart.commands.project_pictures import ProjectPictures
from headstart.exporting.pixels import Pixels
from headstart.exporting.squares import noise, squares
from headstart.network.checkpoints import CheckpointInfo
from headstart.project.errors import HeadstartError
from headstart.use.picture_files import PictureFiles

N_CHECKED = 64


def checked_on(
    files: tuple[Path, ...], project: ProjectPictures | None, info: CheckpointInfo
) -> tuple[Pixels, str]:
    """The pictures that an export is checked on, and what they are, for a sentence.

    Raises:
        HeadstartError: a file that the user named is no picture, or a folder holds none.
    """
    if files:
        stored = _readable(files, info)
        return squares(stored, info), f"{len(stored)} pictures"
    if project and (valid := project.labels.ids("valid")[:N_CHECKED]):
        return project.squares(valid), f"{len(valid)} pictures of valid"
    pixels = noise(N_CHECKED, info.size_px)
    return pixels, f"{N_CHECKED} random pictures (no picture of valid is here)"


def _readable(paths: tuple[Path, ...], info: CheckpointInfo) -> list[bytes]:
    """The first pictures among files and folders, in their stored form."""
    found: list[bytes] = []
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        before = len(found)
        pictures = PictureFiles(inside if path.is_dir() else [path], info.preprocessing)
        for picture in pictures.ids:
            stored, problem = pictures.encoded(picture), pictures.problems.get(picture)
            if problem and not path.is_dir():
                raise HeadstartError(f"{path} cannot be read: {problem.rstrip('.')}.")
            found += [] if problem else [stored]
            if len(found) >= N_CHECKED:
                return found
        if len(found) == before:
            raise HeadstartError(f"{path} holds no picture.")
    return found
