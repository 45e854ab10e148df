"""Which files index-images takes for pictures, and what it says of the others."""

import pytest

from headstart.indexing.index import IndexImagesError
from tests.indexed import TABLE, Files, index, picture


def test_other_files_are_counted_and_left(given: Files) -> None:
    given |= {"readme.txt": b"hi", "train/cats/notes.md": b"x", "train/film.mp4": b"y"}
    found = index(given)
    assert (len(found.pictures), found.n_ignored) == (16, 3)


NAMES = ["1", "2.JPEG", "3.jfif", "4.jpg?w=300", "5.img", "6.png", "7.scan.2"]


def test_the_content_decides_what_is_a_picture() -> None:
    files = {f"{name}/{file}": picture(10 * k + i, "JPEG")
             for k, name in enumerate("ab") for i, file in enumerate(NAMES)}  # fmt: skip
    found = index(files | {"a/notes": b"none", "a/film.mov": b"\0\0\0\x10ftypqt  "},
                  split="stratified")  # fmt: skip
    assert (len(found.pictures), found.n_ignored) == (2 * len(NAMES), 2)


def test_forms_that_pillow_only_reads_are_pictures_too() -> None:
    forms = ["WEBP", "AVIF", "JPEG2000", "TIFF", "GIF", "BMP", "PPM"]
    files = {f"{name}/{form}": picture(10 * k + i, form)
             for k, name in enumerate("ab") for i, form in enumerate(forms)}  # fmt: skip
    assert len(index(files, split="stratified").pictures) == 2 * len(forms)


HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"


@pytest.fixture
def telephone(given: Files, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Twelve HEIC files and one JPEG XL, and no package that reads them."""
    monkeypatch.setattr("headstart.pictures.plugins.plugin_versions", dict)
    heic = {f"train/cats/IMG_{i}.HEIC": HEIC + bytes([i]) for i in range(12)}
    return given | heic | {"train/dogs/1.jxl": b"\xff\x0a\x00", "train/dogs/e.jpg": b""}


def test_forms_that_need_a_package_are_counted_in_a_line(telephone: Files) -> None:
    with pytest.raises(IndexImagesError) as error:
        index(telephone)
    assert str(error.value).splitlines()[:4] == [
        "14 problems with the pictures (13 needs_package, 1 zero_bytes):",
        "  12 files are HEIC: pip install pillow-heif",
        "  1 file is JPEG XL: pip install pillow-jxl-plugin",
        "  train/dogs/e.jpg: zero_bytes: the file is empty",
    ]


def test_forms_that_need_a_package_are_never_left_out_in_silence(telephone: Files) -> None:
    found = index(telephone, on_problem="set_aside")
    assert found.counts()["n_problems"] == {"total": 14, "needs_package": 13, "zero_bytes": 1}
    assert [note.split(",")[0] for note in found.notes] == [
        "Set aside: 12 files are HEIC: pip install pillow-heif",
        "Set aside: 1 file is JPEG XL: pip install pillow-jxl-plugin",
    ]
    only = {path: data for path, data in telephone.items() if path.endswith(("HEIC", "jxl"))}
    with pytest.raises(IndexImagesError, match=r"of 0 classes .* 12 files are HEIC: pip install"):
        index(only, on_problem="set_aside")


def test_what_is_left_aside_is_named(given: Files, with_table: Files) -> None:
    assert index(given).notes == ()
    others = {f"train/{i}.TXT": b"x" for i in range(3)} | {"t.csv": b"x", "a/LICENSE": b"x"}
    assert index(given | others).notes == (
        "Left aside, as they are no pictures that headstart reads: 3 .txt, 1 .csv, 1 without suffix.",
    )
    assert index(with_table, **TABLE).notes == ()
    [note] = index(with_table | {"sample.csv": b"x"}, **TABLE).notes
    assert note.endswith(": 1 .csv.")


def test_many_kinds_of_files_are_cut_short(given: Files) -> None:
    [note] = index(given | {f"x.k{i}": b"x" for i in range(20)}).notes
    assert note.endswith(
        ": 1 .k0, 1 .k1, 1 .k10, 1 .k11, 1 .k12, 1 .k13, 1 .k14, 1 .k15, 12 others."
    )


@pytest.mark.parametrize("split", ["given", "stratified"])
def test_a_folder_without_pictures_says_what_it_holds(split: str) -> None:
    files = {f"cats/{i}.mp4": b"x" for i in range(5)} | {"b/readme": b"x", "favicon.ico": b"x"}
    with pytest.raises(IndexImagesError) as error:
        index(files, split=split)
    assert str(error.value) == (
        "dataset.source holds no pictures: it holds 5 .mp4 (cats/0.mp4, cats/1.mp4, cats/2.mp4, ...), "
        "1 .ico (favicon.ico), 1 without suffix (b/readme); set it to a folder of pictures."
    )
