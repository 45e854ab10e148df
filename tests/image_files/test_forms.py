import io

import pytest
from PIL import Image

from headstart.image_files.forms import HEAD_BYTES, form_of

WRITTEN = {
    "JPEG": "jpeg", "PNG": "png", "GIF": "gif", "WEBP": "webp", "BMP": "bmp", "TIFF": "tiff",
    "AVIF": "avif", "JPEG2000": "jp2", "PPM": "ppm", "MPO": "jpeg",
}  # fmt: skip


def brands(major: bytes, *others: bytes) -> bytes:
    """The beginning of an ISO file, and what follows it."""
    box = b"ftyp" + major + bytes(4) + b"".join(others)
    return (len(box) + 4).to_bytes(4, "big") + box + b"\x00\x00\x00\x08mdatavif"


def written(form: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (40, 30)).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize(("pillow", "form"), WRITTEN.items())
def test_what_pillow_writes_is_known(pillow: str, form: str) -> None:
    data = written(pillow)
    assert form_of(data[:HEAD_BYTES]) == form_of(data) == form


@pytest.mark.parametrize("mode", ["1", "L", "I;16"])
def test_grey_forms_are_known(mode: str) -> None:
    assert form_of(written("PPM", mode)) == "ppm"
    assert form_of(written("TIFF", mode)) == "tiff"


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (brands(b"heic", b"mif1", b"heic"), "heic"),  # a telephone
        (brands(b"mif1", b"mif1", b"heic"), "heic"),
        (brands(b"heix", b"mif1", b"heix"), "heic"),  # 10 bits
        (brands(b"msf1", b"hevc"), "heic"),
        (brands(b"mif1", b"avif", b"miaf"), "avif"),
        (brands(b"avis", b"avif", b"msf1"), "avif"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jxl"),
        (b"\xff\x0a\xfa\x7f", "jxl"),
        (b"\xff\x4f\xff\x51\x00", "jp2"),
        (b"II+\x00\x08\x00\x00\x00", "tiff"),
        (b"P5 # scanned\n3 2 255\n", "ppm"),
    ],
)
def test_other_pictures_are_known(head: bytes, form: str) -> None:
    assert form_of(head) == form


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b"\x00\x00\x01\x00\x01\x00\x10\x10",  # .ico
        b"PK\x03\x04",
        b"\x80\x02}q\x00",  # .pth
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"id,label\n1,cat\n",
        b"BM is short for bench mark, and this is a text",
        b"P1 is the first patient\n",
        b"P6",
        brands(b"isom", b"isom", b"avc1", b"mp41"),
        brands(b"qt  ", b"qt  "),
        brands(b"mp42", b"mif1"),
        brands(b"crx ", b"crx ", b"isom"),  # .cr3
    ],
)
def test_other_files_are_no_pictures(head: bytes) -> None:
    assert form_of(head) == ""
