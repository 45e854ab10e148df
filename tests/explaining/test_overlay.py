"""Heat lies where the network saw it, over pictures of any proportions."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from headstart.backbone.frame import Frame
from headstart.explaining.overlay import MASK_PX, STOPS, mask_png, overlay
from headstart.views.draws import PLAIN
from headstart.views.pictures import cropped

CORNER = np.zeros((4, 4), np.float32)
CORNER[0, 3] = 1


def grey(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), (128, 128, 128))


@pytest.mark.parametrize("frame", [Frame("center", 1), Frame("center", 0.8), Frame("squash", 0.9)])
@pytest.mark.parametrize("size", [(160, 120), (90, 200), (64, 64)])
def test_the_network_sees_its_own_cells(frame: Frame, size: tuple[int, int]) -> None:
    """The plain view of the overlay has the hottest cell in its own corner."""
    shown = overlay(grey(*size), CORNER, frame)
    assert shown.size == size and shown.mode == "RGB"
    view = cropped(shown, 64, frame, PLAIN).astype(int)
    heat = np.abs(view - 128).sum(2).reshape(4, 16, 4, 16).mean((1, 3))  # (S, S) -> (4, 4) cells
    assert heat[0, 3] > 50 and heat[0, 3] > 2 * heat[0, 2]
    assert heat[2:, :2].max() < 5, "what is cold is clear"


def test_what_the_network_was_not_shown_is_dark() -> None:
    shown = np.asarray(overlay(grey(100, 60), CORNER, Frame("center", 1)))
    assert (shown[:, :20] == 64).all() and (shown[:, 80:] == 64).all()
    assert (shown[40:, 20:50] == 128).all()


def test_the_hottest_place_has_the_last_colour() -> None:
    hot = np.ones((2, 2), np.float32)
    shown = np.asarray(overlay(grey(32, 32), hot, Frame("center", 1)))
    expected = 0.6 * np.array(STOPS[-1]) + 0.4 * 128
    assert np.abs(shown - expected).max() <= 1


def test_a_picture_is_left_as_it_was() -> None:
    picture = grey(40, 30)
    overlay(picture, CORNER, Frame("center", 1))
    assert picture.getcolors() == [(1200, (128, 128, 128))]


def test_the_mask_gives_the_overlay_over_a_thumbnail() -> None:
    smooth = np.random.default_rng(3).random((8, 8)).astype(np.float32)
    frame, thumbnail = Frame("center", 0.9), grey(MASK_PX, 48)
    data = mask_png(smooth, (1200, 900), frame)
    assert len(data) < 2000
    with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(data)) as mask:
        assert mask.format == "PNG" and mask.size == thumbnail.size
        laid = Image.alpha_composite(thumbnail.convert("RGBA"), mask.convert("RGBA"))
        expected = np.asarray(overlay(thumbnail, smooth, frame), int)
    assert np.abs(np.asarray(laid.convert("RGB"), int) - expected).max() <= 1
