"""Augmentation: draw first, apply after.

All that is random about a view of a picture is one `Draw`, a pure function of (seed, view, picture
id, copy). What follows from a draw is geometry: a crop box in the stored picture, then one affine map
of the crop with mirrored borders, then lighting.

Order and magnitudes follow fastai 0.7 (scale, augment, crop), with one difference: a rotation turns
the crop, not the picture before the crop, so its corners are mirrored.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headstart.core.section import Section

ZOOM_PROBABILITY = 0.75
ROTATE_PROBABILITY = 0.75

Symmetry = Literal["none", "side_on", "top_down", "half_turn"]


class AugmentParams(Section):
    """Section `augment`: how the views of a training picture differ from the plain one."""

    symmetry: Symmetry = Field(
        description="none; side_on: mirrored left-right half of the time; top_down: one of the 8 "
        "turns and mirrorings; half_turn: turned by 180 degrees half of the time"
    )
    max_zoom: float = Field(
        ge=1, le=4, description="3 of 4 views are magnified by up to this factor; 1: none"
    )
    random_crop: bool = Field(
        description="crop anywhere in the picture rather than in its centre; only what exceeds the "
        "square network input can move"
    )
    shift_px: int = Field(
        ge=0, description="whole px of the network input by which a view moves, borders mirrored"
    )
    rotate_deg: float = Field(
        ge=0, le=180, description="3 of 4 views turn by up to this angle, degrees, either way"
    )
    brightness: float = Field(ge=0, le=1, description="added, up to this part of full scale")
    contrast: float = Field(
        ge=0, le=1, description="distances from the mean are multiplied by up to 1 + this"
    )


@dataclass(frozen=True)
class Draw:
    """The random choices behind one view of one picture."""

    zoom: float  # at least 1
    crop_x: float  # in [0, 1]: from the leftmost to the rightmost crop; 0.5 is the centre
    crop_y: float
    shift_x: int  # px of the network input
    shift_y: int
    angle_deg: float
    quarter_turns: int  # 0 to 3
    mirrored: bool  # left-right, after the turn
    brightness: float  # added, in parts of full scale
    contrast: float  # factor on the distance from the picture's mean


PLAIN = Draw(1.0, 0.5, 0.5, 0, 0, 0.0, 0, False, 0.0, 1.0)


def draw(params: AugmentParams, seed: int, view: int, picture_id: str, copy: int = 0) -> Draw:
    """The view number `view` of a picture, or of its `copy`-th copy. No hidden state."""
    key = f"{seed}|{view}|{picture_id}|{copy}".encode()
    digest = hashlib.shake_128(key).digest(8 * 11)
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
    return Draw(
        zoom=1 + u[3] * (params.max_zoom - 1) if u[2] < ZOOM_PROBABILITY else 1.0,
        crop_x=u[4] if params.random_crop else 0.5,
        crop_y=u[5] if params.random_crop else 0.5,
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
    )


def crop_box(
    width: int, height: int, crop_frac: float, draw: Draw
) -> tuple[float, float, float, float]:
    """The square of a picture that a view shows: (left, top, right, bottom) in its pixels.

    Its side is the shorter side times `crop_frac`, over the zoom. At zoom 1 its offsets are whole
    pixels, so that nothing is interpolated without need.
    """
    side = min(width, height) * crop_frac / draw.zoom
    left, top = draw.crop_x * (width - side), draw.crop_y * (height - side)
    if draw.zoom == 1:
        left, top = math.floor(left), math.floor(top)
    return left, top, left + side, top + side


def affine_maps(draws: Sequence[Draw], size_px: int) -> NDArray[np.float32]:
    """(N, 2, 3): for each view, the map from output to input coordinates, both in [-1, 1].

    The convention is that of `torch.nn.functional.affine_grid` with align_corners=False.
    """
    maps = np.empty((len(draws), 2, 3), dtype=np.float32)
    for i, d in enumerate(draws):
        angle = math.radians(d.angle_deg + 90 * d.quarter_turns)
        # whole quarter turns must hit pixel centres exactly
        cos, sin = (round(v, 12) for v in (math.cos(angle), math.sin(angle)))
        flip = -1 if d.mirrored else 1
        maps[i] = [
            [flip * cos, -sin, 2 * d.shift_x / size_px],
            [flip * sin, cos, 2 * d.shift_y / size_px],
        ]
    return maps


def lighting(draws: Sequence[Draw]) -> NDArray[np.float32]:
    """(N, 2): for each view the brightness to add (parts of full scale) and the contrast factor."""
    return np.array([[d.brightness, d.contrast] for d in draws], dtype=np.float32)
