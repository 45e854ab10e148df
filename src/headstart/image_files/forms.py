"""Tells the form of a picture from the first bytes of its file, whatever the file is called."""

import re
from collections.abc import Mapping

HEAD_BYTES = 64
"""Bytes at the beginning of a file that `form_of` looks at."""

_BY_START: Mapping[bytes, str] = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"II+\x00": "tiff",  # more than 4 GB
    b"MM\x00+": "tiff",
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": "jxl",
    b"\xff\x0a": "jxl",  # without a container
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "jp2",
    b"\xff\x4f\xff\x51": "jp2",  # without a container
}
_AVIF = {b"avif", b"avis"}
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_EITHER = {b"mif1", b"msf1"}  # the other brands say what is inside
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # bytes
_PPM = re.compile(rb"P[1-6]\s+(#|\d+\s+\d+\s)")


def form_of(head: bytes) -> str:
    """The form of a picture: jpeg, png, gif, webp, bmp, tiff, avif, heic, jxl, jp2 or ppm; '' if none.

    Icons, drawings (SVG, PDF) and films are no pictures, nor are forms without a fixed beginning (TGA).

    Args:
        head: the first HEAD_BYTES bytes of the file, or more; fewer of a shorter file.
    """
    for start, form in _BY_START.items():
        if head.startswith(start):
            return form
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _form_of_brands(head[:HEAD_BYTES])
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    return "ppm" if _PPM.match(head) else ""


def _form_of_brands(head: bytes) -> str:
    """The form of a file that begins with an ISO `ftyp` box, as films do too."""
    major, end = head[8:12], int.from_bytes(head[:4], "big")
    if major not in _AVIF | _HEIC | _EITHER:
        return ""
    brands = {major, *(head[i : i + 4] for i in range(16, min(end, len(head)), 4))}
    return "avif" if brands & _AVIF else "heic"
