"""The code in docs/export.md makes the pipeline's squares from what a file says about itself."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest

from headstart.backbone.frame import Frame
from headstart.exporting.about import about, text
from headstart.exporting.squares import squares
from headstart.pictures.preprocessing import Preprocessing, StoredForm
from tests.exporting.checkpoints import small_info
from tests.pages import blocks, read_page
from tests.test_predict_what_was_measured import write_photographs

JPEG = StoredForm(size_px=96, codec="jpeg", quality=85, pillow=PIL.__version__)
COPY = JPEG.model_copy(update={"size_px": 42})
PNG = StoredForm(size_px=96, codec="png", pillow=PIL.__version__)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photographs") / "all"
    write_photographs(folder, 1, 20.0)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that the first block of Python in docs/export.md defines."""
    file = tmp_path_factory.mktemp("docs") / "square.py"
    file.write_text(blocks(read_page("docs/export.md"), "python")[0])
    return runpy.run_path(str(file))


@pytest.mark.parametrize(
    "frame", [Frame("center", 1.0), Frame("center", 0.87), Frame("squash", 0.9)]
)
@pytest.mark.parametrize("stored", [(JPEG,), (JPEG, COPY), (PNG,)], ids=["jpeg", "copies", "png"])
def test_the_documented_code_makes_the_same_pixels(
    photographs: list[Path],
    documented: dict[str, Any],
    frame: Frame,
    stored: tuple[StoredForm, ...],
) -> None:
    preprocessing = Preprocessing(stored=stored, pillow=PIL.__version__)
    info = small_info(frame=frame, preprocessing=preprocessing)
    of_the_pipeline = squares(
        (preprocessing.encode(path.read_bytes()) for path in photographs), info
    )
    told = json.loads(text(info))
    for path, pixels in zip(photographs, of_the_pipeline, strict=True):
        assert np.array_equal(documented["square"](path, told), pixels), path.name


def test_the_documented_code_decides_by_the_thresholds(documented: dict[str, Any]) -> None:
    row = np.array([0.3, 0.6, 0.1])
    one = about(small_info())
    assert one["thresholds"] == [] and documented["named"](row, one) == ["dog"]
    thresholds = {"plain": (0.3, 0.7, 0.05), "tta": (1.0, 1.0, 1.0)}
    assert "costs" not in one
    dear = about(small_info(costs=((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (9.0, 9.0, 0.0))))
    assert documented["named"](row, dear) == ["eel"]
    several = about(small_info(task="multi_label", thresholds=thresholds))
    assert documented["named"](row, several) == ["cat", "eel"]


def test_the_temperature_that_is_in_the_graph_is_told() -> None:
    assert about(small_info())["temperature"] == 1
    assert about(small_info(temperatures={"plain": 0.7, "tta": 2.0}))["temperature"] == 0.7


def test_the_square_is_told_in_words_too() -> None:
    info = small_info(
        frame=Frame("center", 0.875), preprocessing=Preprocessing(stored=(JPEG,), pillow="13")
    )
    _, stored, square = about(info)["square"]
    assert "over 96 px" in stored and "JPEG of quality 85, 4:4:4" in stored
    assert "0.875 of the shorter side" in square and "32 x 32 px" in square
    whole = about(small_info(frame=Frame("squash", 1.0)))["square"]
    assert "Encode as PNG." in whole[1] and "the whole picture" in whole[2]


def test_the_number_of_pictures_at_a_time_is_told() -> None:
    info = small_info()
    any_number, one = about(info), json.loads(text(info, "1"))
    assert "uint8 (N, 32, 32, 3)" in any_number["input"] and "(N, 3)" in any_number["output"]
    assert "uint8 (1, 32, 32, 3)" in one["input"] and "(1, 3)" in one["output"]
    assert one == any_number | {key: one[key] for key in ("input", "output")}


def test_the_page_names_all_that_a_file_says_of_itself() -> None:
    [row] = [line for line in read_page("docs/export.md").splitlines() if "| metadata `" in line]
    told = about(small_info(costs=((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (9.0, 9.0, 0.0))))
    assert not [key for key in told if f"`{key}`" not in row]
