"""Small pictures of a page: each is decoded once and embedded once, however often it is shown."""

import base64
import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.explaining.masks import Asked

SIDE_PX = 176
"""Longer side of a thumbnail."""
QUALITY = 70
"""Of its JPEG, 1 to 95."""

Decode = Callable[[str], Image.Image]
"""A picture's id -> the RGB picture."""

Looked = Callable[[Sequence[Asked]], list[bytes]]
"""Asks where the network saw a class in a picture: an overlay for each, or none at all."""


class Thumbnails:
    """Pictures by id. The page shows one by a CSS class, whose rule holds its bytes."""

    def __init__(self, decode: Decode, looked: Looked | None = None) -> None:
        """`looked` gives the thumbnails overlays; without it there are none."""
        self._decode, self._looked = decode, looked
        self._pixels: dict[str, NDArray[np.uint8]] = {}
        self._numbers: dict[str, int] = {}
        self._heats: dict[tuple[str, int], int] = {}

    def pixels(self, picture: str) -> NDArray[np.uint8]:
        """The picture (H, W, 3), decoded at the first call."""
        if picture not in self._pixels:
            self._pixels[picture] = np.asarray(self._decode(picture))
        return self._pixels[picture]

    def number(self, picture: str) -> int:
        """The number n of the picture on the page: its CSS class is `p<n>`."""
        return self._numbers.setdefault(picture, len(self._numbers))

    def heat(self, picture: str, number: int) -> int:
        """The number n of the overlay of a picture and a class: its CSS class is `h<n>`."""
        return self._heats.setdefault((picture, number), len(self._heats))

    def rules(self) -> list[str]:
        """A CSS rule for each picture that was given a number; safe in a page."""
        return [
            _rule(f"p{number}", "jpeg", self._jpeg(picture))
            for picture, number in self._numbers.items()
        ]

    def heat_rules(self) -> list[str]:
        """A CSS rule for each overlay that was given a number; empty if there are no overlays."""
        if self._looked is None or not self._heats:
            return []
        asked = [
            Asked(picture, number, (self.pixels(picture).shape[1], self.pixels(picture).shape[0]))
            for picture, number in self._heats
        ]
        return [_rule(f"h{place}", "png", mask) for place, mask in enumerate(self._looked(asked))]

    def _jpeg(self, picture: str) -> bytes:
        image = Image.fromarray(self.pixels(picture))
        image.thumbnail((SIDE_PX, SIDE_PX))
        buffer = io.BytesIO()
        image.save(buffer, "jpeg", quality=QUALITY)
        return buffer.getvalue()


def _rule(name: str, form: str, content: bytes) -> str:
    data = base64.b64encode(content).decode("ascii")
    return f".{name}{{background-image:url(data:image/{form};base64,{data})}}"
