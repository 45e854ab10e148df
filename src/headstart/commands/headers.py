"""What the headers of picture files say."""

from pathlib import Path
from typing import IO, NamedTuple

from headstart.image_files.forms import HEAD_BYTES, form_of
from headstart.pictures.facts import why_unreadable
from headstart.pictures.names import is_picture
from headstart.pictures.rgb import open_picture, orientation

TURNED = {5, 6, 7, 8}  # EXIF orientations that exchange width and height


class Look(NamedTuple):
    """What the header of one file says; `problem` is empty if it is a picture.

    Attributes:
        width, height: of the upright picture, px.
        mode: of Pillow, such as RGB, L, CMYK.
        problem: why it is no picture.
    """

    width: int = 0
    height: int = 0
    mode: str = ""
    problem: str = ""


def look_at_file(root: Path, path: str) -> Look | None:
    """What the header of a file below `root` says; None if it is no picture."""
    try:
        with (root / path).open("rb") as file:
            return look_at(file) if is_picture(path, form_of(file.read(HEAD_BYTES))) else None
    except OSError as error:
        return Look(problem=why_unreadable(error, b"")[1])


def look_at(file: IO[bytes]) -> Look:
    """What the header of an opened picture says; `register_plugins` comes before the first."""
    head = b""
    try:
        file.seek(0)
        head = file.read(HEAD_BYTES)
        if not head:
            return Look(problem="the file is empty")
        file.seek(0)
        with open_picture(file) as image:
            width, height = image.size
            if orientation(image) in TURNED:
                width, height = height, width
            return Look(width, height, image.mode)
    except Exception as error:  # each of Pillow's decoders has its own ways to fail
        return Look(problem=why_unreadable(error, head)[1])
