"""Small pictures of a page: each is decoded once and embedded once, however often it is shown."""

import base64
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE_PX = 176
"""Longer side of a thumbnail."""
QUALITY = 70
"""Of its JPEG, 1 to 95."""

Decode = Callable[[str], Image.Image]
"""A picture's id -> the RGB picture."""

Looked = Callable[[str], NDArray[np.float32]]
"""A picture's id -> where the network looked: (h, w) in [0, 1], of any size."""

HOT = (229, 62, 62)
"""Red, green, blue of the places where the network looked; opaque where the value is 1."""


class Thumbnails:
    """Pictures by id. The page shows one by a CSS class, whose rule holds its bytes."""

    def __init__(self, decode: Decode, looked: Looked | None = None) -> None:
        """`looked` gives each thumbnail an overlay; without it there is none."""
        self._decode, self._looked = decode, looked
        self._pixels: dict[str, NDArray[np.uint8]] = {}
        self._numbers: dict[str, int] = {}

    @property
    def with_heat(self) -> bool:
        """Whether the thumbnails have overlays."""
        return self._looked is not None

    def pixels(self, picture: str) -> NDArray[np.uint8]:
        """The picture (H, W, 3), decoded at the first call."""
        if picture not in self._pixels:
            self._pixels[picture] = np.asarray(self._decode(picture))
        return self._pixels[picture]

    def number(self, picture: str) -> int:
        """The number n of the picture on the page: its CSS class is `p<n>`, its overlay's `h<n>`."""
        return self._numbers.setdefault(picture, len(self._numbers))

    def rules(self) -> str:
        """A CSS rule for each picture that was given a number, and for its overlay; safe in a page."""
        rules = []
        for picture, number in self._numbers.items():
            rules.append(f".p{number}{{background-image:url({self._jpeg(picture)})}}")
            if self._looked is not None:
                rules.append(f".h{number}{{background-image:url({_heat(self._looked(picture))})}}")
        return "\n".join(rules)

    def _jpeg(self, picture: str) -> str:
        image = Image.fromarray(self.pixels(picture))
        image.thumbnail((SIDE_PX, SIDE_PX))
        return _data(image, "jpeg", quality=QUALITY)


def _heat(looked: NDArray[np.float32]) -> str:
    """A PNG of one colour whose opacity is the value; it is as small as the map, the page scales it."""
    alpha = np.rint(np.clip(looked, 0, 1) * 255).astype(np.uint8)
    colour = np.broadcast_to(np.array(HOT, np.uint8), (*alpha.shape, 3))
    return _data(Image.fromarray(np.dstack([colour, alpha]), "RGBA"), "png")


def _data(image: Image.Image, form: str, **options: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return f"data:image/{form};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
