"""What the pixels of a picture show, seen small: is it whole, is it grey, and its signature."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.pictures.facts import why_unreadable
from headstart.pictures.rgb import decode_rgb
from headstart.pictures.signature import signature

SMALL_PX = 32  # least shorter side that is decoded; the decoder of JPEG skips what it can
GREY = 3  # levels between channels that one step of both chroma values of a JPEG makes


class Seen(NamedTuple):
    """What the pixels of one picture show.

    Attributes:
        is_grey: whether red, green and blue are equal.
        signature: (32, 32) by which pictures are compared; None: it is flat or below 9 px.
        problem: why it cannot be decoded; empty if it can be.
    """

    is_grey: bool = False
    signature: NDArray[np.float16] | None = None
    problem: str = ""


def see_file(path: Path) -> Seen:
    """What the pixels of a file show."""
    try:
        return see(path.read_bytes())
    except OSError as error:
        return Seen(problem=why_unreadable(error, b"")[1])


def see(data: bytes) -> Seen:
    """What the pixels of a picture show.

    A JPEG is decoded at 1/8 of its size, as long as the shorter side keeps 32 px; other forms whole.
    Either way the whole file is parsed. So a file that breaks off anywhere is a problem, even
    where only the last byte is missing, and so are most files with foreign bytes. A few wrong bytes
    within the pixels of a JPEG are no problem for its decoder, which shows them as a shifted or
    discoloured part.

    Args:
        data: the whole file.
    """
    try:
        picture = decode_rgb(data, SMALL_PX // 2)
    except Exception as error:  # each of Pillow's decoders has its own ways to fail
        return Seen(problem=why_unreadable(error, data)[1])
    # a mean over pixels is as grey as they are, and its noise is smaller
    pixels = np.asarray(picture.reduce(max(1, min(picture.size) // SMALL_PX)))
    is_grey = int((pixels.max(axis=2) - pixels.min(axis=2)).max()) <= GREY
    return Seen(is_grey, signature(picture))
