"""Pictures with large shapes, as photographs have them, each unlike the others."""

import io

import numpy as np
from PIL import Image


def scene(number: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Soft patches of colour, RGB; another number gives another picture."""
    values = np.random.default_rng(number).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
