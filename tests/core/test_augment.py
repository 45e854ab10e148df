from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.core.augment import (
    PLAIN,
    AugmentParams,
    Draw,
    Symmetry,
    affine_maps,
    crop_box,
    draw,
)

NOTHING = AugmentParams(
    symmetry="none",
    max_zoom=1.0,
    random_crop=False,
    shift_px=0,
    rotate_deg=0.0,
    brightness=0.0,
    contrast=0.0,
)
MUCH = AugmentParams(
    symmetry="top_down",
    max_zoom=1.3,
    random_crop=True,
    shift_px=5,
    rotate_deg=10.0,
    brightness=0.05,
    contrast=0.2,
)
MANY = [draw(MUCH, 0, view, f"{picture:x}") for view in range(10) for picture in range(200)]


def test_nothing_is_the_plain_view() -> None:
    assert all(draw(NOTHING, seed, 3, "ab") == PLAIN for seed in range(50))


def test_a_draw_depends_on_its_whole_key_and_on_nothing_else() -> None:
    key = (0, 3, "ab", 0)
    assert draw(MUCH, *key) == draw(MUCH, *key)
    others = [(1, 3, "ab", 0), (0, 4, "ab", 0), (0, 3, "ac", 0), (0, 3, "ab", 1)]
    assert len({draw(MUCH, *other) for other in [key, *others]}) == 5


def test_views_of_earlier_runs_stay_what_they_were() -> None:
    """Pinned before there were more transforms: a new one must draw from numbers of its own."""
    params = NOTHING.model_copy(
        update={"symmetry": "half_turn", "random_crop": True, "brightness": 0.05, "contrast": 0.05}
    )
    assert draw(params, 7, 1, "ab", 3) == replace(
        PLAIN,
        crop_x=0.7627034643915781,
        crop_y=0.37550490046794177,
        quarter_turns=2,
        brightness=0.018714377550759286,
        contrast=1.0025295901797804,
    )
    assert draw(MUCH, 0, 2, "0f3e") == Draw(
        zoom=1.1486073922324667,
        crop_x=0.5310506084682125,
        crop_y=0.09669378297413662,
        shift_x=2,
        shift_y=0,
        angle_deg=-7.298922531782448,
        quarter_turns=3,
        mirrored=True,
        brightness=0.02774021799386922,
        contrast=1.003814604052312,
    )
    assert draw(MUCH, 0, 0, "ab") == Draw(
        zoom=1.0,
        crop_x=0.7869567746419917,
        crop_y=0.46591810199153166,
        shift_x=-5,
        shift_y=-4,
        angle_deg=-8.438871294543418,
        quarter_turns=3,
        mirrored=True,
        brightness=0.03814611164608378,
        contrast=0.9296756521422386,
    )


def test_draws_stay_in_their_bounds_and_reach_all_of_them() -> None:
    spans = {
        "zoom": (1.0, 1.3),
        "crop_x": (0, 1),
        "crop_y": (0, 1),
        "shift_x": (-5, 5),
        "shift_y": (-5, 5),
        "angle_deg": (-10, 10),
        "brightness": (-0.05, 0.05),
        "contrast": (1 / 1.2, 1.2),
    }
    for name, (low, high) in spans.items():
        values = np.array([getattr(d, name) for d in MANY])
        assert low <= values.min() < low + 0.05 * (high - low), name
        assert high >= values.max() > high - 0.05 * (high - low), name
    assert {(d.quarter_turns, d.mirrored) for d in MANY} == {
        (turns, mirrored) for turns in range(4) for mirrored in (False, True)
    }


def test_probabilities() -> None:
    assert np.mean([d.zoom > 1 for d in MANY]) == pytest.approx(0.75, abs=0.04)
    assert np.mean([d.angle_deg != 0 for d in MANY]) == pytest.approx(0.75, abs=0.04)
    assert np.mean([d.mirrored for d in MANY]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([d.angle_deg for d in MANY]) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(
    ("symmetry", "seen"),
    [
        ("none", {(0, False)}),
        ("side_on", {(0, False), (0, True)}),
        ("half_turn", {(0, False), (2, False)}),
    ],
)
def test_symmetries(symmetry: Symmetry, seen: set[tuple[int, bool]]) -> None:
    params = NOTHING.model_copy(update={"symmetry": symmetry})
    draws = [draw(params, 0, 0, str(i)) for i in range(100)]
    assert {(d.quarter_turns, d.mirrored) for d in draws} == seen


@given(
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
    crop_frac=st.floats(0.1, 1),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    zoom=st.floats(1, 4),
)
def test_crops_are_squares_inside_the_picture(
    width: int, height: int, crop_frac: float, x: float, y: float, zoom: float
) -> None:
    view = replace(PLAIN, crop_x=x, crop_y=y, zoom=zoom)
    left, top, right, bottom = crop_box(width, height, crop_frac, view)
    assert right - left == pytest.approx(bottom - top)
    assert right - left == pytest.approx(min(width, height) * crop_frac / zoom)
    assert left >= 0 and top >= 0
    assert right <= width + 1e-9 and bottom <= height + 1e-9


def test_the_plain_crop_is_the_centre() -> None:
    assert crop_box(300, 200, 1.0, PLAIN) == (50, 0, 250, 200)
    assert crop_box(250, 250, 0.96, PLAIN) == (5, 5, 245, 245)


def test_maps_of_turns_are_exact() -> None:
    draws = [replace(PLAIN, quarter_turns=turns) for turns in range(4)]
    identity, quarter, half, _ = affine_maps(draws, 10)[:, :, :2].tolist()
    assert identity == [[1, 0], [0, 1]]
    assert quarter == [[0, -1], [1, 0]]
    assert half == [[-1, 0], [0, -1]]
