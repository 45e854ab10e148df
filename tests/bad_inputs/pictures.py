"""Picture files that are broken, odd, or no pictures, each made anew."""

import io
import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from tests.bad_inputs.readers import encoded, exif, picture

SIZE = (30, 20)


def small(mode: str = "RGB", number: int = 0) -> Image.Image:
    return picture(mode, number, SIZE)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, packed: bytes, bits: int = 1, colour: int = 0) -> bytes:
    """A PNG with a true header, and whatever pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def bomb(side: int, bits: int = 1, colour: int = 0) -> bytes:
    """A black square PNG, packed a thousand times, written row by row."""
    packer = zlib.compressobj(9)
    n_bytes = 1 + -(-side * bits * {0: 1, 2: 3, 6: 4}[colour] // 8)
    packed = b"".join(packer.compress(bytes(n_bytes)) for _ in range(side)) + packer.flush()
    return png_of(side, side, packed, bits, colour)


def arithmetic_jpeg() -> bytes:
    """A JPEG whose header says that its pixels are packed by arithmetic coding."""
    return encoded(small(), "JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)


def _text_bomb() -> bytes:
    plain = encoded(small(), "PNG")
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(40_000_000)))
    return plain[:33] + text + plain[33:]


def _tiff(values: np.ndarray) -> bytes:
    return encoded(Image.fromarray(values), "TIFF")


BROKEN: Mapping[str, Callable[[], bytes]] = {
    "empty.jpg": bytes,
    "zeros.jpg": lambda: bytes(5000),
    "text.png": lambda: b"this is no picture",
    "page.jpg": lambda: b"<!doctype html><title>404</title>" * 20,
    "script.jpg": lambda: (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    ),
    "bomb.png": lambda: bomb(20_000),
    "far-bomb.png": lambda: png_of(4_000_000, 4_000_000, zlib.compress(bytes(99))),
    "long.png": lambda: png_of(70_000, 1, zlib.compress(bytes(1 + 70_000 // 8))),
    "flat.png": lambda: png_of(0, 5, zlib.compress(b"")),
    "text-bomb.png": _text_bomb,
    "float.tiff": lambda: _tiff(np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)),
    "huge-numbers.tiff": lambda: _tiff(np.full((20, 30), 1 << 30, np.int32)),
    "negative.tiff": lambda: _tiff(np.full((20, 30), -5, np.int32)),
    "half.jpg": lambda: encoded(small(), "JPEG")[:300],
    "half.webp": lambda: encoded(small(), "WEBP")[:100],
}
"""Files that are problems, by name."""


def _broken_exif() -> bytes:
    good = encoded(small(), "JPEG", exif=exif(6))
    at = good.index(b"Exif\0\0") + 6
    return good[: at + 4] + b"\xff" * 12 + good[at + 16 :]


def _with_profile(form: str) -> bytes:
    return encoded(small(), form, icc_profile=b"\xff" * 500)  # no profile at all


ODD: Mapping[str, Callable[[], bytes]] = {
    "right.png": lambda: encoded(small(), "PNG"),
    "wrong-suffix.jpg": lambda: encoded(small(), "PNG"),
    "one.png": lambda: encoded(picture("RGB", 0, (1, 1)), "PNG"),
    "line.png": lambda: encoded(picture("RGB", 0, (1, 20_000)), "PNG"),
    "row.jpg": lambda: encoded(picture("RGB", 0, (20_000, 1)), "JPEG"),
    "16-bit.png": lambda: encoded(small("I;16"), "PNG"),
    "16-bit.tiff": lambda: encoded(small("I;16"), "TIFF"),
    "cmyk.jpg": lambda: encoded(small("CMYK"), "JPEG"),
    "cmyk.tiff": lambda: encoded(small("CMYK"), "TIFF"),
    "palette.png": lambda: encoded(small("P"), "PNG", transparency=0),
    "palette.gif": lambda: encoded(small("P"), "GIF"),
    "grey.jpg": lambda: encoded(small("L"), "JPEG"),
    "clear.webp": lambda: encoded(small("RGBA"), "WEBP"),
    "animated.gif": lambda: _animated("GIF"),
    "animated.webp": lambda: _animated("WEBP"),
    "animated.png": lambda: _animated("PNG"),
    "broken-exif.jpg": _broken_exif,
    "no-exif.jpg": lambda: encoded(small(), "JPEG", exif=b"Exif\0\0garbage"),
    "profile.jpg": lambda: _with_profile("JPEG"),
    "profile.png": lambda: _with_profile("PNG"),
    **{
        f"turn-{turn}.jpg": (lambda turn=turn: encoded(small(), "JPEG", exif=exif(turn)))  # type: ignore[misc]
        for turn in range(1, 9)
    },
}
"""Files that are read, by name."""


def _animated(form: str) -> bytes:
    frames = [small(number=i) for i in range(4)]
    buffer = io.BytesIO()
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:])
    return buffer.getvalue()
