"""Pictures that the user names, converted to the form in which the pipeline stores pictures."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from PIL import Image

from headstart.pictures.facts import why_unreadable
from headstart.pictures.preprocessing import Preprocessing, StoredForm
from headstart.pictures.rgb import decode_stored, orientation
from headstart.project.report import Report
from headstart.project.special_files import refuse_special

Picture = str | Path | bytes | Image.Image
"""A picture file, the content of one, or an image that Pillow has opened."""

_IN_PNG = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}  # modes of Pillow that a PNG keeps
_ORIENTATION = 0x0112  # of EXIF


def _stand_in() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


STAND_IN: Final = _stand_in()
"""What is shown for a picture that cannot be read; its output is thrown away."""


class PictureFiles:
    """Pictures in their stored form, as a source for `views.pictures.Pictures`.

    A picture is read when a thread asks for it, so reading and decoding run ahead of the network, and
    no more than a few batches are in memory. What cannot be read is told in `problems` and replaced by
    a stand-in, because the threads that work on a batch must not fail for one of its pictures.

    Attributes:
        ids: (N) of the pictures in their order: "0", "1", ...
        problems: id -> why there is no picture, of those that were asked for and cannot be read.
    """

    def __init__(self, pictures: Iterable[Picture], preprocessing: Preprocessing) -> None:
        """Read nothing yet.

        Args:
            pictures: N files, contents of files, or images, in the order of iteration.
            preprocessing: what brings them into the stored form.
        """
        self._pictures, self._preprocessing = list(pictures), preprocessing
        self.ids = [str(number) for number in range(len(self._pictures))]
        self.problems: dict[str, str] = {}

    @property
    def history(self) -> tuple[StoredForm, ...]:
        """The forms that each picture goes through."""
        return self._preprocessing.stored

    def encoded(self, picture: str) -> bytes:
        """The picture with this id, JPEG or PNG; may be called from several threads."""
        data = b""
        try:
            data = _content(self._pictures[int(picture)])
            if data:
                return self._preprocessing.encode(data)
            self.problems[picture] = "the file is empty"
        except Exception as error:  # each of Pillow's decoders has its own ways to fail
            kind, why = why_unreadable(error, data)
            self.problems[picture] = f"it is {why}" if kind == "needs_package" else why
        return STAND_IN

    def decode(self, picture: str) -> Image.Image:
        """The picture with this id, RGB."""
        return decode_stored(self.encoded(picture))

    def at(self, size_px: int, report: Report) -> "PictureFiles":
        """The same pictures: their last form is already the one for the size of the network."""
        return self


def _content(picture: Picture) -> bytes:
    """The bytes of a file; an image becomes one that keeps its pixels and is read as any file."""
    if isinstance(picture, bytes):
        return picture
    if not isinstance(picture, Image.Image):
        path = Path(picture)
        refuse_special(path)
        return path.read_bytes()
    picture.load()  # turns a TIFF upright, so it comes before the question how it is turned
    file, exif = io.BytesIO(), Image.Exif()
    if (turned := orientation(picture)) in range(2, 9):
        exif[_ORIENTATION] = turned
    if picture.mode[0] in "IF" and picture.mode not in _IN_PNG:
        # no conversion to fewer bits: it would clip numbers that are no grey levels
        picture.convert(picture.mode[0]).save(file, "TIFF", compression="raw", exif=exif)
    else:
        _for_png(picture).save(file, "PNG", compress_level=1, exif=exif)
    return file.getvalue()


def _for_png(image: Image.Image) -> Image.Image:
    """The same image in a mode that a PNG keeps, with what is transparent."""
    if image.mode in _IN_PNG:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
