"""How pictures get into a page."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from headstart.reporting.thumbnails import HOT, SIDE_PX, Thumbnails


def embedded(rule: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(re.findall(r"base64,([^)]*)\)", rule)[0])))


def test_a_thumbnail_keeps_the_shape_of_its_picture_and_is_never_larger() -> None:
    sizes = {"wide": (704, 352), "small": (20, 10)}
    thumbnails = Thumbnails(lambda picture: Image.new("RGB", sizes[picture]))
    assert [thumbnails.number(picture) for picture in ("wide", "small", "wide")] == [0, 1, 0]
    wide, small = thumbnails.rules().splitlines()
    assert wide.startswith(".p0{") and small.startswith(".p1{")
    assert embedded(wide).size == (SIDE_PX, SIDE_PX // 2) and embedded(small).size == (20, 10)


def test_a_picture_that_only_a_contact_sheet_shows_is_not_embedded() -> None:
    thumbnails = Thumbnails(lambda _: Image.new("RGB", (4, 3)))
    assert thumbnails.pixels("a").shape == (3, 4, 3)
    assert thumbnails.rules() == ""


@pytest.mark.parametrize(("value", "opacity"), [(0, 0), (0.5, 128), (1, 255), (1.5, 255)])
def test_the_opacity_of_an_overlay_is_where_the_network_looked(value: float, opacity: int) -> None:
    heat = np.full((7, 5), value, np.float32)
    thumbnails = Thumbnails(lambda _: Image.new("RGB", (4, 3)), lambda _: heat)
    thumbnails.number("a")
    _, rule = thumbnails.rules().splitlines()
    overlay = np.asarray(embedded(rule))
    assert rule.startswith(".h0{") and overlay.shape == (7, 5, 4)
    assert (overlay == (*HOT, opacity)).all()
