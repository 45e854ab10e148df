"""Pictures that the user names, converted to the form in which the pipeline stores pictures."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from headstart.pictures.facts import why_unreadable
from headstart.pictures.preprocessing import Preprocessing, StoredForm
from headstart.pictures.rgb import decode_stored
from headstart.project.report import Report
from headstart.project.special_files import refuse_special

Picture = str | Path | bytes | Image.Image
"""A picture file, the content of one, or an image that Pillow has opened."""

_IN_PNG = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}  # modes of Pillow that a PNG keeps


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

    def __init__(self, pictures: Sequence[Picture], preprocessing: Preprocessing) -> None:
        """Read nothing yet.

        Args:
            pictures: N files, contents of files, or images.
            preprocessing: what brings them into the stored form.
        """
        self._pictures, self._preprocessing = pictures, preprocessing
        self.ids = [str(number) for number in range(len(pictures))]
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
    """The bytes of a file; an image becomes a PNG, which loses nothing."""
    if isinstance(picture, bytes):
        return picture
    if not isinstance(picture, Image.Image):
        path = Path(picture)
        refuse_special(path)
        return path.read_bytes()
    shown = picture.convert("I;16") if picture.mode == "I" else picture
    shown = shown if shown.mode in _IN_PNG else shown.convert("RGB")
    file = io.BytesIO()
    shown.save(file, "PNG", compress_level=1, exif=picture.getexif())
    return file.getvalue()
