"""The random choices behind one view of one picture, and the affine map and lighting they give."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Draw:
    """The random choices behind one view of one picture; the defaults are the plain view."""

    zoom: float = 1.0  # at least 1
    crop_x: float = 0.5  # in [0, 1]: from the leftmost to the rightmost crop; 0.5 is the centre
    crop_y: float = 0.5
    shift_x: int = 0  # px of the network input
    shift_y: int = 0
    angle_deg: float = 0.0
    quarter_turns: int = 0  # 0 to 3
    mirrored: bool = False  # left-right, after the turn
    brightness: float = 0.0  # added, in parts of full scale
    contrast: float = 1.0  # factor on the distance from the picture's mean
    stretch: float = 0.0  # magnified by 1 + |stretch|: positive in width, negative in height
    blur_px: float = 0.0  # standard deviation of a Gaussian, px of the network input
    hole_frac: float = 0.0  # side of a square hole, in parts of the input's; 0: none
    hole_x: float = 0.5  # its centre, in [0, 1]; a part of it may lie outside
    hole_y: float = 0.5
    candidates: tuple[tuple[float, float], ...] = ()  # (area, width / height), parts of the picture


PLAIN = Draw()


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
