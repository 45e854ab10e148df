"""The size of a picture file, or what is wrong with it, found by decoding it in full."""

import json
from typing import NamedTuple

import PIL
from PIL import UnidentifiedImageError

from headstart.pictures.rgb import decode_rgb, why_unreadable
from headstart.project.work import code_digest

# The rooms whose code determines the facts.
ROOMS = ("pictures", "project")


class Facts(NamedTuple):
    """The size of a picture file, or what is wrong with it.

    Attributes:
        width, height: of the upright picture, px; 0 where it cannot be decoded.
        problem: zero_bytes, unreadable (no picture) or damaged; empty for a good file.
        detail: the problem in words, for the user.
    """

    width: int = 0
    height: int = 0
    problem: str = ""
    detail: str = ""

    def record(self) -> bytes:
        """The facts as bytes, which later runs read."""
        return json.dumps(self).encode()

    @classmethod
    def of_record(cls, record: bytes) -> "Facts":
        """The facts that `record` turned into bytes."""
        return cls(*json.loads(record))


def facts_key() -> dict[str, str]:
    """Key for `kept.records`: everything that determines the facts of a file besides its content."""
    return {"of": "facts", "pillow": PIL.__version__, "code": code_digest(*ROOMS)}


def find_facts(data: bytes) -> Facts:
    """Decode a whole file; if it cannot be decoded, the facts name a problem and nothing is raised."""
    if not data:
        return Facts(problem="zero_bytes", detail="the file is empty")
    try:
        return Facts(*decode_rgb(data).size)
    except Exception as error:  # each of Pillow's decoders has its own ways to fail
        problem = "unreadable" if isinstance(error, UnidentifiedImageError) else "damaged"
        return Facts(problem=problem, detail=why_unreadable(error))
