import pytest

from headstart.pictures.names import PICTURE_SUFFIXES, Name, is_picture, parts_of


def test_suffixes_are_those_of_pictures() -> None:
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".bmp", ".gif"} <= PICTURE_SUFFIXES
    assert {".jfif", ".heic", ".heif", ".jxl", ".jp2", ".tga"} <= PICTURE_SUFFIXES
    assert not {".csv", ".txt", ".pdf", ".mpg", ".json", ".ico", ".svg", ""} & PICTURE_SUFFIXES


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a/x.jpg", Name("x", ".jpg")),
        ("a/x.JPEG", Name("x", ".jpeg")),
        ("a/x.jpg?w=300", Name("x", ".jpg")),
        ("a/x.jpg?v=1.5&of=y.png", Name("x", ".jpg")),
        ("a/x.PNG:large", Name("x", ".png")),
        ("scan.2.tif", Name("scan.2", ".tif")),
        ("x.jpg.png", Name("x.jpg", ".png")),
        ("a.b/scan.2", Name("scan.2", "")),
        ("a/x.jpg.txt", Name("x.jpg.txt", "")),
        ("who?.png", Name("who?", ".png")),
        ("photo", Name("photo", "")),
        ("", Name("", "")),
    ],
)
def test_a_name_has_two_parts(path: str, parts: Name) -> None:
    assert parts_of(path) == parts


@pytest.mark.parametrize(
    ("path", "form", "expected"),
    [
        ("a/1", "jpeg", True),
        ("a/1.txt", "png", True),
        ("a/1.HEIC", "heic", True),
        ("a/1.jpg", "", True),  # empty or damaged: a problem, and not left aside
        ("a/1.heif", "", True),
        ("a/1.jpg?w=300", "", True),
        ("a/1.tga", "", True),  # it has no fixed beginning
        ("a/1", "", False),
        ("a/1.txt", "", False),
        ("favicon.ico", "", False),
        ("a/1.tif", "tiff", True),
        ("a/1.NEF", "tiff", False),  # Pillow would read the thumbnail
    ],
)
def test_the_content_decides_and_else_the_name(path: str, form: str, expected: bool) -> None:
    assert is_picture(path, form) is expected
