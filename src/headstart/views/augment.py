"""Augmentation: the random draw behind each view of a picture.

Everything random about a view is in one `Draw`, a pure function of (seed, view, picture id, copy).
The rest follows from the draw: a crop box in the stored picture (`crops`), then one affine map of the
crop with mirrored borders, lighting and a hole (`draws`).

Order and magnitudes follow fastai 0.7 (scale, augment, crop), with one difference: a rotation turns
the crop, not the picture before the crop, so its corners are mirrored.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from headstart.project.section import Section
from headstart.views.draws import Draw

ZOOM_PROBABILITY = 0.75
ROTATE_PROBABILITY = 0.75
BLUR_PROBABILITY = 0.5
# For crop: googlenet. Szegedy et al., "Going deeper with convolutions", arXiv 1409.4842, section 6.
N_CANDIDATES = 10
AREA = (0.08, 1.0)
ASPECT = (3 / 4, 4 / 3)

Symmetry = Literal["none", "side_on", "top_down", "half_turn"]
Crop = Literal["random", "center", "googlenet"]


class AugmentParams(Section):
    """Section `augment`: how the views of a training picture differ from the plain one.

    Whether a crop keeps a picture's proportions is set by `backbone.crop`, not here, because the
    plain view must be cropped the same way.
    """

    symmetry: Symmetry = Field(
        description="none; side_on: mirrored left-right half of the time, for things seen from the "
        "side; top_down: one of the 8 turns and mirrorings, for pictures taken from above; "
        "half_turn: turned by 180 degrees half of the time, for things with a direction but "
        "no top"
    )
    crop: Crop = Field(
        description="random: anywhere in the picture, as far as the picture is larger than the view; "
        "center: in the middle, for things that fill the picture; googlenet: 8 to 100 % of the "
        "area, sides 3:4 to 4:3, for long trainings on many pictures"
    )
    max_zoom: float = Field(
        ge=1,
        le=4,
        description="3 of 4 views are magnified by up to this factor, for things of "
        "different size, 1 to 4; 1: none",
    )
    stretch: float = Field(
        ge=0,
        le=1,
        description="one axis is magnified by up to 1 + this, for things whose "
        "proportions vary, 0 to 1; 0: none",
    )
    shift_px: int = Field(
        ge=0,
        description="a view moves by up to this many whole px of the network input, borders "
        "mirrored, for things that may lie anywhere, at least 0; 0: none",
    )
    rotate_deg: float = Field(
        ge=0,
        le=180,
        description="3 of 4 views turn by up to this angle, degrees, either way, for "
        "cameras held by hand, 0 to 180; 0: none",
    )
    brightness: float = Field(
        ge=0,
        le=1,
        description="up to this part of full scale is added or subtracted, for light that varies, "
        "0 to 1; 0: none",
    )
    contrast: float = Field(
        ge=0,
        le=1,
        description="each pixel's distance from the picture's mean is multiplied or divided by up to "
        "1 + this, for haze and different cameras, 0 to 1; 0: none",
    )
    blur_px: float = Field(
        ge=0,
        le=20,
        description="half of the views are blurred, by a Gaussian with a standard deviation of up to "
        "this, px of the network input, for focus that varies, 0 to 20; 0: none",
    )
    cutout_frac: float = Field(
        ge=0,
        le=1,
        description="side of a square hole at a random place of each view, as a part of the input's "
        "side, for networks that look at one detail only, 0 to 1; 0: none",
    )

    @field_validator("max_zoom", "stretch")
    @classmethod
    def _googlenet_scales_by_itself(cls, value: float, info: ValidationInfo) -> float:
        none = 1 if info.field_name == "max_zoom" else 0
        if info.data.get("crop") == "googlenet" and value != none:
            raise ValueError(f"it must be {none} with crop: googlenet, which scales by itself")
        return value


def draw(params: AugmentParams, seed: int, view: int, picture_id: str, copy: int = 0) -> Draw:
    """Draw view number `view` of a picture, or of its `copy`-th copy. No hidden state.

    Each choice has random numbers of its own, so editing one parameter leaves the other choices alone.
    """
    key = f"{seed}|{view}|{picture_id}|{copy}".encode()
    # a longer digest begins with the shorter one, so new choices must take their numbers from the end
    digest = hashlib.shake_128(key).digest(8 * (15 + 3 * N_CANDIDATES))
    u = [int.from_bytes(digest[i : i + 8]) / 2**64 for i in range(0, len(digest), 8)]

    def spread(uniform: float, magnitude: float) -> float:
        return (2 * uniform - 1) * magnitude

    quarter_turns, mirrored = 0, False
    match params.symmetry:
        case "side_on":
            mirrored = u[0] < 0.5
        case "top_down":
            quarter_turns, mirrored = int(4 * u[1]), u[0] < 0.5
        case "half_turn":
            quarter_turns = 2 if u[0] < 0.5 else 0
        case "none":
            pass
    contrast = spread(u[10], params.contrast)
    n_shifts = 2 * params.shift_px + 1
    moves, has_hole = params.crop != "center", params.cutout_frac > 0
    return Draw(
        zoom=1 + u[3] * (params.max_zoom - 1) if u[2] < ZOOM_PROBABILITY else 1.0,
        crop_x=u[4] if moves else 0.5,
        crop_y=u[5] if moves else 0.5,
        shift_x=int(u[6] * n_shifts) - params.shift_px,
        shift_y=int(u[7] * n_shifts) - params.shift_px,
        # one number decides both whether and how far: the lowest quarter does not turn
        angle_deg=spread(max(u[8] - 0.25, 0) / 0.75, params.rotate_deg)
        if u[8] >= 1 - ROTATE_PROBABILITY
        else 0.0,
        quarter_turns=quarter_turns,
        mirrored=mirrored,
        brightness=spread(u[9], params.brightness),
        contrast=1 + contrast if contrast >= 0 else 1 / (1 - contrast),
        stretch=spread(u[11], params.stretch),
        blur_px=max(1 - u[12] / BLUR_PROBABILITY, 0) * params.blur_px,
        hole_frac=params.cutout_frac,
        hole_x=u[13] if has_hole else 0.5,
        hole_y=u[14] if has_hole else 0.5,
        candidates=tuple(_candidates(u[15:])) if params.crop == "googlenet" else (),
    )


def _candidates(uniforms: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Yield (area, width / height) for each three numbers: area, aspect, whether it is turned.

    All are drawn, because a draw does not know the picture's size, which decides which of them fit.
    """

    def between(uniform: float, low: float, high: float) -> float:
        return low + uniform * (high - low)

    for area, aspect, turned in zip(uniforms[::3], uniforms[1::3], uniforms[2::3], strict=True):
        ratio = between(aspect, *ASPECT)
        yield between(area, *AREA), 1 / ratio if turned < 0.5 else ratio
