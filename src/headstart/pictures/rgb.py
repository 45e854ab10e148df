"""Decodes picture files to upright RGB pixels, for the whole pipeline."""

import io

import numpy as np
from PIL import Image, ImageOps

from headstart.pictures.plugins import register_plugins


def decode_rgb(data: bytes, short_side_px: int | None = None) -> Image.Image:
    """Decode the first frame, apply the EXIF orientation, convert to 8-bit RGB.

    CMYK, YCbCr, palettes and grey are converted as Pillow does (colour profiles are not applied).
    Transparent pictures are laid over white. Of 16-bit grey the high byte is kept. HEIC and JPEG XL
    are read if their packages are installed (`pictures.plugins`).

    Args:
        data: the whole file.
        short_side_px: if given, the decoder may reduce a JPEG by 2, 4 or 8, which is fast. The
            shorter side of a reduced picture is still at least twice this.

    Raises:
        Exception: whatever Pillow raises for bytes that are no picture or a damaged one
            (UnidentifiedImageError, OSError, SyntaxError, DecompressionBombError, ...).
    """
    register_plugins()
    image: Image.Image = Image.open(io.BytesIO(data))
    if short_side_px:
        factor = 2 * short_side_px / min(image.size)
        if factor < 1:
            image.draft(None, (int(image.width * factor) + 1, int(image.height * factor) + 1))
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # I;16, I;16B or I, all holding 0 to 65535
        high = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
        image = Image.fromarray(high.astype(np.uint8))
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    image = image.convert("RGB")
    image.info.clear()  # comments and profiles, which some encoders would write again
    return image


def is_plain_jpeg(data: bytes) -> bool:
    """Whether decode_rgb leaves the pixels of this file as they are: JPEG, RGB, upright by EXIF."""
    with Image.open(io.BytesIO(data)) as image:
        return (
            image.format == "JPEG" and image.mode == "RGB" and image.getexif().get(0x0112, 1) == 1
        )


def decode_stored(data: bytes) -> Image.Image:
    """Decode a file whose pixels are upright 8-bit RGB already, as all stored pictures are."""
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")
