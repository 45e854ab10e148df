from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headstart.backbone.frame import Frame, PlainCrop
from headstart.views.crops import crop_box
from headstart.views.draws import PLAIN, Draw

SQUARE, SQUASHED = Frame("center", 1.0), Frame("squash", 1.0)
SIDES = st.integers(1, 2000)
PLACES = st.floats(0, 1)


@given(
    width=SIDES,
    height=SIDES,
    crop=st.sampled_from(["center", "squash"]),
    crop_frac=st.floats(0.1, 1),
    x=PLACES,
    y=PLACES,
    zoom=st.floats(1, 4),
    stretch=st.floats(-1, 1),
)
def test_crops_lie_inside_the_picture_with_the_sides_of_the_frame(
    width: int, height: int, crop: PlainCrop, crop_frac: float, x: float, y: float, zoom: float,
    stretch: float,
) -> None:  # fmt: skip
    view = replace(PLAIN, crop_x=x, crop_y=y, zoom=zoom, stretch=stretch)
    left, top, right, bottom = crop_box(width, height, Frame(crop, crop_frac), view)
    shown = (width, height) if crop == "squash" else (min(width, height),) * 2
    wide, high = 1 + max(stretch, 0), 1 + max(-stretch, 0)
    assert right - left == pytest.approx(shown[0] * crop_frac / zoom / wide)
    assert bottom - top == pytest.approx(shown[1] * crop_frac / zoom / high)
    assert left >= 0 and top >= 0
    assert right <= width and bottom <= height


def test_the_plain_crop_is_the_centre() -> None:
    assert crop_box(300, 200, SQUARE, PLAIN) == (50, 0, 250, 200)
    assert crop_box(250, 250, Frame("center", 0.96), PLAIN) == (5, 5, 245, 245)


@given(width=SIDES, height=SIDES, x=PLACES, y=PLACES)
def test_a_squash_shows_everything_wherever_the_crop_is_put(
    width: int, height: int, x: float, y: float
) -> None:
    box = crop_box(width, height, SQUASHED, replace(PLAIN, crop_x=x, crop_y=y))
    assert box == (0, 0, width, height)


@given(
    width=SIDES,
    height=SIDES,
    area=st.floats(0.08, 1),
    aspect=st.floats(0.75, 4 / 3),
    x=PLACES,
    y=PLACES,
)
def test_a_candidate_that_fits_is_the_box(
    width: int, height: int, area: float, aspect: float, x: float, y: float
) -> None:
    view = replace(PLAIN, crop_x=x, crop_y=y, candidates=((area, aspect),))
    left, top, right, bottom = box = crop_box(width, height, SQUARE, view)
    too_wide, too_high = aspect * area * height / width, area * width / (height * aspect)
    assume(abs(too_wide - 1) > 1e-9 and abs(too_high - 1) > 1e-9)  # as good as exact: either way
    if too_wide > 1 or too_high > 1:
        assert box == crop_box(width, height, SQUARE, PLAIN)
        return
    assert (right - left) * (bottom - top) == pytest.approx(area * width * height)
    assert (right - left) / (bottom - top) == pytest.approx(aspect)
    assert left >= 0 and top >= 0
    assert right <= width and bottom <= height
    assert left == pytest.approx(x * (width - (right - left)), abs=1e-6)


def test_the_first_candidate_that_fits_counts_and_the_plain_view_stands_for_none() -> None:
    # 1000 x 100 px: a whole area at 1:1 would be 316 px high
    none, small = (1.0, 1.0), (0.08, 0.8)
    view = Draw(crop_x=0.0, crop_y=1.0, candidates=(none, small, (0.05, 1.0)))
    left, top, right, bottom = crop_box(1000, 100, SQUARE, view)
    assert [left, top, right, bottom] == pytest.approx([0, 0, 80, 100])
    view = Draw(crop_x=0.0, crop_y=1.0, candidates=(none,) * 10)
    assert crop_box(1000, 100, SQUARE, view) == (450, 0, 550, 100)
    assert crop_box(1000, 100, SQUASHED, view) == (0, 0, 1000, 100)
