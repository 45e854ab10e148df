from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from headstart.views.augment import AugmentParams, Symmetry, draw
from headstart.views.draws import PLAIN, Draw

NOTHING = AugmentParams(
    symmetry="none",
    crop="center",
    max_zoom=1.0,
    stretch=0.0,
    shift_px=0,
    rotate_deg=0.0,
    brightness=0.0,
    contrast=0.0,
    blur_px=0.0,
    cutout_frac=0.0,
)
MUCH = AugmentParams(
    symmetry="top_down",
    crop="random",
    max_zoom=1.3,
    stretch=0.2,
    shift_px=5,
    rotate_deg=10.0,
    brightness=0.05,
    contrast=0.2,
    blur_px=2.0,
    cutout_frac=0.25,
)
OLD = {"stretch": 0.0, "blur_px": 0.0, "cutout_frac": 0.0}  # magnitudes that came later, off
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
        update={"symmetry": "half_turn", "crop": "random", "brightness": 0.05, "contrast": 0.05}
    )
    assert draw(params, 7, 1, "ab", 3) == replace(
        PLAIN,
        crop_x=0.7627034643915781,
        crop_y=0.37550490046794177,
        quarter_turns=2,
        brightness=0.018714377550759286,
        contrast=1.0025295901797804,
    )
    assert draw(MUCH.model_copy(update=OLD), 0, 2, "0f3e") == Draw(
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
    assert draw(MUCH.model_copy(update=OLD), 0, 0, "ab") == Draw(
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
        "stretch": (-0.2, 0.2),
        "blur_px": (0, 2),
        "hole_x": (0, 1),
        "hole_y": (0, 1),
    }
    for name, (low, high) in spans.items():
        values = np.array([getattr(d, name) for d in MANY])
        assert low <= values.min() < low + 0.05 * (high - low), name
        assert high >= values.max() > high - 0.05 * (high - low), name
    assert {d.hole_frac for d in MANY} == {0.25}
    assert {(d.quarter_turns, d.mirrored) for d in MANY} == {
        (turns, mirrored) for turns in range(4) for mirrored in (False, True)
    }


def test_probabilities() -> None:
    assert np.mean([d.zoom > 1 for d in MANY]) == pytest.approx(0.75, abs=0.04)
    assert np.mean([d.angle_deg != 0 for d in MANY]) == pytest.approx(0.75, abs=0.04)
    assert np.mean([d.mirrored for d in MANY]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([d.blur_px > 0 for d in MANY]) == pytest.approx(0.5, abs=0.05)
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


@pytest.mark.parametrize(
    ("name", "value", "drawn"),
    [
        ("max_zoom", 1.3, {"zoom"}),
        ("crop", "random", {"crop_x", "crop_y"}),
        ("crop", "googlenet", {"crop_x", "crop_y", "candidates"}),
        ("stretch", 0.2, {"stretch"}),
        ("shift_px", 5, {"shift_x", "shift_y"}),
        ("rotate_deg", 10.0, {"angle_deg"}),
        ("brightness", 0.05, {"brightness"}),
        ("contrast", 0.2, {"contrast"}),
        ("blur_px", 2.0, {"blur_px"}),
        ("cutout_frac", 0.25, {"hole_x", "hole_y"}),
    ],
)
def test_each_transform_varies_alone_and_draws_from_numbers_of_its_own(
    name: str, value: object, drawn: set[str]
) -> None:
    alone = [draw(NOTHING.model_copy(update={name: value}), 0, 0, str(i)) for i in range(50)]
    for field in vars(PLAIN):
        n_values = len({getattr(d, field) for d in alone})
        assert (n_values > 5) if field in drawn else (n_values == 1), field
    among = [draw(MUCH.model_copy(update={name: value}), 0, 0, str(i)) for i in range(50)]
    for field in drawn:
        assert [getattr(d, field) for d in alone] == [getattr(d, field) for d in among], field


def test_candidates_of_googlenet_stay_in_their_ranges() -> None:
    params = NOTHING.model_copy(update={"crop": "googlenet"})
    found = np.array([draw(params, 0, 0, str(i)).candidates for i in range(300)])
    assert found.shape == (300, 10, 2)
    areas, aspects = found[..., 0], found[..., 1]
    assert 0.08 <= areas.min() < 0.09 and 0.99 < areas.max() <= 1
    assert 0.75 <= aspects.min() < 0.76 and 1.32 < aspects.max() <= 4 / 3
    assert np.mean(aspects > 1) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("name", "value"), [("max_zoom", 1.1), ("stretch", 0.1)])
def test_what_googlenet_draws_by_itself_has_no_second_knob(name: str, value: float) -> None:
    values = NOTHING.model_dump() | {"crop": "googlenet"}
    AugmentParams.model_validate(values)
    with pytest.raises(ValidationError, match=r"it must be \d with crop: googlenet"):
        AugmentParams.model_validate(values | {name: value})
