"""Picture files that the user names, converted to the form in which the pipeline stores pictures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from headstart.network.checkpoints import CheckpointInfo
from headstart.pictures.facts import why_unreadable
from headstart.pictures.preprocessing import Preprocessing, StoredForm
from headstart.pictures.rgb import decode_stored
from headstart.project.report import Report
from headstart.project.workers import in_order
from headstart.views.pictures import Pictures


@dataclass(frozen=True)
class PictureFile:
    """A file that the user named, and its picture.

    Attributes:
        path: as the user wrote it.
        stored: the picture in the last stored form; empty if the file is no picture.
        problem: why there is no picture; empty if there is one.
    """

    path: Path
    stored: bytes = b""
    problem: str = ""


def read_files(paths: Iterable[Path], preprocessing: Preprocessing) -> Iterator[PictureFile]:
    """Read the files in the order of `paths`; threads read a few files ahead of the caller."""

    def read(path: Path) -> PictureFile:
        data = b""
        try:
            data = path.read_bytes()
            if not data:
                return PictureFile(path, problem="the file is empty")
            return PictureFile(path, preprocessing.encode(data))
        except Exception as error:  # each of Pillow's decoders has its own ways to fail
            kind, why = why_unreadable(error, data)
            return PictureFile(path, problem=f"it is {why}" if kind == "needs_package" else why)

    return in_order(read, paths)


@dataclass(frozen=True)
class StoredFiles:
    """A few files in their stored form, as a source for `views.pictures.Pictures`.

    Attributes:
        files: path -> encoded picture.
        preprocessing: the steps that brought them into this form.
    """

    files: Mapping[str, bytes]
    preprocessing: Preprocessing

    @property
    def history(self) -> tuple[StoredForm, ...]:
        """The forms that each file went through."""
        return self.preprocessing.stored

    def encoded(self, path: str) -> bytes:
        """The picture of this file, JPEG or PNG."""
        return self.files[path]

    def decode(self, path: str) -> Image.Image:
        """The picture of this file, RGB."""
        return decode_stored(self.encoded(path))

    def at(self, size_px: int, report: Report) -> "StoredFiles":
        """The same files: their last form is already the one for the size of the network."""
        return self


def shown(
    files: Sequence[PictureFile], info: CheckpointInfo, device: torch.device
) -> tuple[Pictures, list[str]]:
    """The pictures of readable files, as the network of `info` sees them, and their ids in order."""
    stored = StoredFiles({str(file.path): file.stored for file in files}, info.preprocessing)
    pictures = Pictures.of(stored, info.size_px, info.frame, device)
    return pictures, [str(file.path) for file in files]
