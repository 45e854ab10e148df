"""How pictures get into a page."""

import base64
import io
import re
from collections.abc import Sequence

from PIL import Image

from headstart.explaining.masks import Asked
from headstart.reporting.thumbnails import SIDE_PX, Thumbnails


def embedded(rule: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(re.findall(r"base64,([^)]*)\)", rule)[0])))


def test_a_thumbnail_keeps_the_shape_of_its_picture_and_is_never_larger() -> None:
    sizes = {"wide": (704, 352), "small": (20, 10)}
    thumbnails = Thumbnails(lambda picture: Image.new("RGB", sizes[picture]))
    assert [thumbnails.number(picture) for picture in ("wide", "small", "wide")] == [0, 1, 0]
    wide, small = thumbnails.rules()
    assert wide.startswith(".p0{") and small.startswith(".p1{")
    assert embedded(wide).size == (SIDE_PX, SIDE_PX // 2) and embedded(small).size == (20, 10)


def test_a_picture_that_only_a_contact_sheet_shows_is_not_embedded() -> None:
    thumbnails = Thumbnails(lambda _: Image.new("RGB", (4, 3)))
    assert thumbnails.pixels("a").shape == (3, 4, 3)
    assert thumbnails.rules() == []


def test_all_overlays_are_asked_for_at_once_and_each_once() -> None:
    calls: list[list[Asked]] = []

    def looked(asked: Sequence[Asked]) -> list[bytes]:
        calls.append(list(asked))
        return [f"{one.picture}{one.number}".encode() for one in asked]

    thumbnails = Thumbnails(lambda _: Image.new("RGB", (4, 3)), looked)
    assert thumbnails.heat_rules() == [] == calls
    assert [thumbnails.heat(*one) for one in (("a", 1), ("a", 2), ("b", 1), ("a", 1))] == [
        0,
        1,
        2,
        0,
    ]
    rules = thumbnails.heat_rules()
    assert calls == [[("a", 1, (4, 3)), ("a", 2, (4, 3)), ("b", 1, (4, 3))]]
    texts = [base64.b64decode(rule.split("base64,")[1][:-2]).decode() for rule in rules]
    assert texts == ["a1", "a2", "b1"] and rules[2].startswith(
        ".h2{background-image:url(data:image/png;"
    )


def test_a_network_that_cannot_be_explained_gives_no_overlay() -> None:
    thumbnails = Thumbnails(lambda _: Image.new("RGB", (4, 3)), lambda _: [])
    thumbnails.heat("a", 0)
    assert thumbnails.heat_rules() == []
