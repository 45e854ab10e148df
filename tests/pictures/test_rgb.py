import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from headstart.pictures.rgb import decode_rgb, is_plain_jpeg

ORIENTATION = 0x0112


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pixel(data: bytes) -> tuple[int, ...]:
    image = decode_rgb(data)
    assert image.mode == "RGB"
    return tuple(np.asarray(image)[0, 0])


def paletted() -> Image.Image:
    return Image.new("RGB", (4, 4), (200, 10, 30)).quantize(4)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda: encoded(Image.new("L", (4, 4), 99)), (99, 99, 99), id="grey"),
        pytest.param(lambda: encoded(Image.new("1", (4, 4), 1)), (255, 255, 255), id="bits"),
        pytest.param(lambda: encoded(paletted()), (200, 10, 30), id="palette"),
        pytest.param(
            lambda: encoded(paletted(), transparency=0), (255, 255, 255), id="palette-with-a-hole"
        ),
        pytest.param(
            lambda: encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 0))), (255, 255, 255), id="clear"
        ),
        pytest.param(
            lambda: encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128))), (127, 127, 127), id="half"
        ),
        pytest.param(lambda: encoded(Image.new("LA", (4, 4), (50, 255))), (50, 50, 50), id="LA"),
        pytest.param(
            lambda: encoded(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3)),
            (255, 255, 255),
            id="colour-key",
        ),
        pytest.param(
            lambda: encoded(Image.fromarray(np.full((4, 4), 0x8040, np.uint16))),
            (128, 128, 128),
            id="16-bit-png",
        ),
        pytest.param(
            lambda: encoded(Image.fromarray(np.full((4, 4), 0xFFFF, np.uint16)), "TIFF"),
            (255, 255, 255),
            id="16-bit-tiff",
        ),
        pytest.param(
            lambda: encoded(Image.fromarray(np.full((4, 4), 0x2000, np.int32)), "TIFF"),
            (32, 32, 32),
            id="32-bit",
        ),
    ],
)
def test_anything_becomes_rgb(make: Callable[[], bytes], expected: tuple[int, ...]) -> None:
    assert pixel(make()) == expected


def test_cmyk_jpeg_becomes_rgb() -> None:
    red = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert pixel(red) == pytest.approx((255, 0, 0), abs=6)
    assert not is_plain_jpeg(red)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_the_exif_turn_is_applied(turn: int, form: str) -> None:
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40  # H 2, W 3
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    upright = {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1], 5: stored.T,
        6: np.rot90(stored, -1), 7: stored[::-1, ::-1].T,
        8: np.rot90(stored, 1),
    }  # fmt: skip
    found = np.asarray(decode_rgb(encoded(Image.fromarray(stored), form, exif=exif)))
    assert (found[..., 0] == upright[turn]).all()


def test_a_turned_jpeg_is_not_plain() -> None:
    image, exif = Image.new("RGB", (8, 4)), Image.Exif()
    assert is_plain_jpeg(encoded(image, "JPEG"))
    exif[ORIENTATION] = 6
    turned = encoded(image, "JPEG", exif=exif)
    assert not is_plain_jpeg(turned)
    assert decode_rgb(turned).size == (4, 8)
    assert not is_plain_jpeg(encoded(image))
    assert not is_plain_jpeg(encoded(image.convert("L"), "JPEG"))


def test_draft_keeps_twice_the_short_side() -> None:
    big = encoded(Image.new("RGB", (1600, 1200), (9, 99, 199)), "JPEG")
    image = decode_rgb(big, short_side_px=100)
    assert image.size == (400, 300)  # by 4; by 8 the shorter side would be less than 200
    assert decode_rgb(big).size == (1600, 1200)
    assert decode_rgb(big, short_side_px=900).size == (1600, 1200)


def test_comments_do_not_travel() -> None:
    assert decode_rgb(encoded(Image.new("RGB", (8, 8)), "JPEG", comment=b"me")).info == {}
