"""Decodes picture files to upright RGB pixels, for the whole pipeline."""

import io
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from headstart.pictures.plugins import register_plugins

MAX_PIXELS = 110_000_000  # more than a telephone with 108 megapixels has; 0.44 GB as RGB
MAX_SIDE_PX = 65_500  # of a JPEG, in which pictures are stored

_STRIP_PIXELS = 1 << 22  # converted at a time, so that a large picture needs no third copy
_NO_PICTURES = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
"""Forms that Pillow hands to other programs (Ghostscript runs what is in an EPS), or only names."""


class UnusablePictureError(ValueError):
    """A picture is whole, but too large, or its numbers are no colours. The message is a phrase."""


def open_picture(file: IO[bytes]) -> Image.Image:
    """Open a picture file, whatever its name says; its pixels are not decoded yet.

    Raises:
        UnusablePictureError: it has more than MAX_PIXELS, or a side of more than MAX_SIDE_PX.
        Exception: whatever Pillow raises for bytes that are no picture or a damaged one.
    """
    register_plugins()
    try:
        image = Image.open(file, formats=[form for form in Image.ID if form not in _NO_PICTURES])
    except Image.DecompressionBombError:
        raise UnusablePictureError(f"it has far more than {_LIMIT}: reduce it") from None
    if not min(image.size):
        raise UnusablePictureError(f"it has {image.width} x {image.height} px")
    if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE_PX:
        raise UnusablePictureError(
            f"it has {image.width} x {image.height} px, more than {_LIMIT}: reduce it"
        )
    return image


_LIMIT = f"{MAX_PIXELS // 1_000_000} million pixels, or {MAX_SIDE_PX} on a side"


def decode_rgb(data: bytes, short_side_px: int | None = None) -> Image.Image:
    """Decode the first frame, apply the EXIF orientation, convert to 8-bit RGB.

    CMYK, YCbCr, palettes and grey are converted as Pillow does (colour profiles are not applied).
    Transparent pictures are laid over white. Of 16-bit grey the high byte is kept. HEIC and JPEG XL
    are read if their packages are installed (`pictures.plugins`). A picture whose EXIF is damaged is
    taken to be upright.

    Args:
        data: the whole file.
        short_side_px: if given, the decoder may reduce a JPEG by 2, 4 or 8, which is fast. The
            shorter side of a reduced picture is still at least twice this.

    Raises:
        UnusablePictureError: the picture is too large, or holds numbers whose range nobody knows.
        Exception: whatever Pillow raises for bytes that are no picture or a damaged one
            (UnidentifiedImageError, OSError, SyntaxError, ...).
    """
    image = open_picture(io.BytesIO(data))
    if short_side_px:
        factor = 2 * short_side_px / min(image.size)
        if factor < 1:
            image.draft(None, (int(image.width * factor) + 1, int(image.height * factor) + 1))
    image.load()
    if orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    n_rows = max(1, _STRIP_PIXELS // image.width)
    if image.mode == "RGB" and not image.has_transparency_data:
        picture = image
    elif n_rows >= image.height:
        picture = _rgb(image)
    else:
        picture = Image.new("RGB", image.size)
        for top in range(0, image.height, n_rows):
            strip = (0, top, image.width, min(top + n_rows, image.height))
            picture.paste(_rgb(image.crop(strip)), strip)
    picture.info.clear()  # comments and profiles, which some encoders would write again
    return picture


def orientation(image: Image.Image) -> int:
    """How a picture is turned, 1 to 8, as EXIF counts; 1, upright, where EXIF is damaged."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # it may break off anywhere, and its parser has many ways to fail
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    """The picture, or a strip of one, as 8-bit RGB."""
    if image.mode == "F":
        raise UnusablePictureError(
            "it holds floats, whose range nobody knows: write it with 8 bits"
        )
    if image.mode.startswith("I"):  # I;16, I;16B or I, all holding 0 to 65535
        numbers = np.asarray(image)
        if numbers.min() < 0 or numbers.max() > 65535:
            raise UnusablePictureError(
                f"it holds numbers from {numbers.min()} to {numbers.max()}, but only 0 to 65535 are "
                "grey levels: write it with 16 bits"
            )
        image = Image.fromarray((numbers >> 8).astype(np.uint8))
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return image.convert("RGB")


def is_plain_jpeg(data: bytes) -> bool:
    """Whether decode_rgb leaves the pixels of this file as they are: JPEG, RGB, upright by EXIF."""
    with Image.open(io.BytesIO(data)) as image:
        return image.format == "JPEG" and image.mode == "RGB" and orientation(image) == 1


def decode_stored(data: bytes) -> Image.Image:
    """Decode a file whose pixels are upright 8-bit RGB already, as all stored pictures are."""
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")
