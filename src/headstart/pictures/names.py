"""Which files are pictures, and what their names say."""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from PIL import Image

_STUBS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # Pillow knows their names, little more
_ICONS = {"CUR", "ICNS", "ICO"}
_OF_PLUGINS = {".heic", ".heif", ".hif", ".jxl"}  # whether or not the plugin is installed

PICTURE_SUFFIXES = frozenset(
    suffix
    for suffix, form in Image.registered_extensions().items()
    if form in Image.OPEN and form not in _STUBS | _ICONS
) | frozenset(_OF_PLUGINS)
"""File name suffixes, in lower case with their dot, of the forms of pictures that can be read."""

_CAMERA_RAW = {
    *(".3fr", ".arw", ".cr2", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".nef"),
    *(".nrw", ".pef", ".sr2", ".srf", ".srw"),
}
"""Suffixes of files that begin as TIFF does, of which Pillow reads at most a thumbnail."""

_ENDINGS = "|".join(suffix[1:] for suffix in sorted(PICTURE_SUFFIXES))
_SUFFIX = re.compile(rf"(?<=.)\.(?:{_ENDINGS})(?=[?&#@!:]|\Z)", re.IGNORECASE)


class Name(NamedTuple):
    """A file's name without its folder, in two parts.

    Attributes:
        stem: what comes before the suffix; the whole name where the suffix is none of a picture.
        suffix: of a picture, in lower case with its dot; or ''.
    """

    stem: str
    suffix: str


def parts_of(path: str) -> Name:
    """The parts of a file's name; what a web address left behind a suffix (x.jpg?w=300) is dropped."""
    name = path.rpartition("/")[2]
    if found := _SUFFIX.search(name):
        return Name(name[: found.start()], found[0].lower())
    return Name(name, "")


def is_picture(path: str, form: str) -> bool:
    """Whether a file counts as a picture: by its content, or else by its name.

    So an empty or damaged .jpg is a picture that cannot be read, and not a file to leave aside.

    Args:
        path: of the file, with /.
        form: of its content, as `image_files.forms.form_of` gives it.
    """
    if form == "tiff" and PurePosixPath(path).suffix.lower() in _CAMERA_RAW:
        return False
    return bool(form) or parts_of(path).suffix != ""
