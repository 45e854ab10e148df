"""The size and the signature of a picture file, or what is wrong with it, found by decoding it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import UnidentifiedImageError

from headstart.image_files.forms import form_of
from headstart.pictures.plugins import remedy
from headstart.pictures.rgb import UnusablePictureError, decode_rgb
from headstart.pictures.signature import signature
from headstart.project.short import first_line
from headstart.project.versions import PICTURES, versions
from headstart.project.work import code_digest

# The rooms whose code determines the facts.
ROOMS = ("image_files", "pictures", "project")


@dataclass(frozen=True)
class Facts:
    """The size and the signature of a picture file, or what is wrong with it.

    Attributes:
        width, height: of the upright picture, px; 0 where it cannot be decoded.
        problem: zero_bytes, needs_package, unreadable (no picture), damaged or
            unusable (too large, or its numbers are no colours); empty for a good file.
        detail: the problem in words, for the user.
        signature: the bytes of `pictures.signature`; empty where there is none.
    """

    width: int = 0
    height: int = 0
    problem: str = ""
    detail: str = ""
    signature: bytes = field(default=b"", compare=False)

    def record(self) -> bytes:
        """The facts as bytes, which later runs read."""
        said = (self.width, self.height, self.problem, self.detail)
        return json.dumps(said).encode() + b"\n" + self.signature

    @classmethod
    def of_record(cls, record: bytes) -> "Facts":
        """The facts that `record` turned into bytes."""
        said, _, cells = record.partition(b"\n")
        width, height, problem, detail = json.loads(said)
        return cls(width, height, problem, detail, cells)


def facts_key() -> dict[str, str | Mapping[str, str]]:
    """Key for `kept.records`: everything that determines the facts of a file besides its content."""
    return {
        "of": "facts",
        "versions": versions(*PICTURES),
        "code": code_digest(*ROOMS),
    }


def find_facts(data: bytes) -> Facts:
    """Decode a whole file; if it cannot be decoded, the facts name a problem and nothing is raised."""
    if not data:
        return Facts(problem="zero_bytes", detail="the file is empty")
    try:
        image = decode_rgb(data)
        cells = signature(image)
        return Facts(*image.size, signature=b"" if cells is None else cells.tobytes())
    except Exception as error:  # each of Pillow's decoders has its own ways to fail
        problem, detail = why_unreadable(error, data)
        return Facts(problem=problem, detail=detail)


def why_unreadable(error: Exception, data: bytes) -> tuple[str, str]:
    """The kind of the problem with a file, as `Facts.problem`, and the problem in words.

    Args:
        error: an exception of `decode_rgb` or of reading the file.
        data: the whole file; empty if it could not be read.
    """
    if needed := remedy(form_of(data)):
        return "needs_package", needed
    if isinstance(error, UnidentifiedImageError):
        return "unreadable", "its bytes are no picture that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return "damaged", error.strerror  # without the number and the path
    if isinstance(error, MemoryError):
        return "unusable", "it needs more memory than there is: reduce it"
    if isinstance(error, UnusablePictureError):
        return "unusable", str(error)
    return "damaged", first_line(error)
