"""What a look at the small decoded picture notices."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from headstart.commands.small_picture import Seen, see, see_file
from headstart.indexing.near_duplicates import find_near_duplicates
from headstart.project.report import Silent
from tests.scenes import encoded, scene


def same_shot(first: Seen, second: Seen) -> bool:
    assert first.signature is not None and second.signature is not None
    return bool(find_near_duplicates(np.stack([first.signature, second.signature]), Silent()))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95, -1])
def test_a_jpeg_that_breaks_off(kept: float, progressive: bool) -> None:
    data = encoded(scene(0, (1600, 1200)), quality=90, progressive=progressive)
    assert see(data).problem == ""
    end = int(kept) if kept < 0 else int(kept * len(data))
    assert see(data[:end]).problem.startswith("image file is truncated (")
    assert not ImageFile.LOAD_TRUNCATED_IMAGES  # it would hide them, from later stages too


def test_other_files_that_break_off() -> None:
    for form in ("PNG", "TIFF", "BMP"):
        data = encoded(scene(0), form)
        assert see(data).problem == "" and see(data[: len(data) // 2]).problem


def test_bytes_of_another_file_in_the_middle() -> None:
    data = encoded(scene(0), quality=90)
    middle = len(data) // 2
    assert see(data[:middle] + np.random.default_rng(0).bytes(middle)).problem


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    assert see_file(tmp_path / "absent.jpg").problem == "No such file or directory"


@pytest.mark.parametrize("quality", [95, 20])
def test_grey_stored_as_colour(quality: int) -> None:
    grey = scene(0).convert("L")
    assert see(encoded(grey)).is_grey
    assert see(encoded(grey.convert("RGB"), quality=quality)).is_grey
    assert not see(encoded(scene(0), quality=quality)).is_grey
    tinted = Image.merge("RGB", (grey, grey, grey.point(lambda level: max(0, level - 12))))
    assert not see(encoded(tinted, quality=quality)).is_grey


def test_a_small_coloured_part_is_colour() -> None:
    image = scene(0, (1600, 1200)).convert("L").convert("RGB")
    image.paste((255, 120, 0), (1400, 1100, 1500, 1140))  # as the date that a camera prints
    assert not see(encoded(image, "PNG")).is_grey


@pytest.mark.parametrize("number", range(5))
def test_copies_have_nearly_the_same_signature(number: int) -> None:
    image = scene(number)
    original = see(encoded(image, quality=90))
    for copy in (
        encoded(image, quality=20),
        encoded(image, "PNG"),
        encoded(image.resize((160, 120))),
        encoded(image.convert("L")),
        encoded(image.point(lambda level: level * 4 // 5)),
    ):
        assert same_shot(original, see(copy))
    assert not same_shot(original, see(encoded(scene(number + 100))))


def test_a_turn_by_exif_counts() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = scene(0).transpose(Image.Transpose.ROTATE_90)
    assert same_shot(see(encoded(scene(0))), see(encoded(turned, exif=exif)))
