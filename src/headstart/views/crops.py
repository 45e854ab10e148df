"""Crop boxes: the part of a picture that a view shows, from the view's draw and the picture's size."""

import math

from headstart.backbone.frame import Frame
from headstart.views.draws import PLAIN, Draw

Box = tuple[float, float, float, float]  # left, top, right, bottom, px


def crop_box(width: int, height: int, frame: Frame, draw: Draw) -> Box:
    """The part of a picture that a view shows: (left, top, right, bottom) in its pixels.

    Args:
        width: of the picture, px.
        height: of the picture, px.
        frame: what the plain view shows.
        draw: of the view. If it holds candidates (crop: googlenet), the box is the first that fits
            into the picture, at the place that the draw gives it. If none fits, the box is the
            plain view's. Without candidates, the box is the frame divided by zoom and stretch.

    Returns:
        A box inside the picture. Without zoom and stretch its offsets are whole pixels, so that
        nothing is interpolated without need.
    """
    if draw.candidates:
        for area, aspect in draw.candidates:
            w, h = (math.sqrt(width * height * area * side) for side in (aspect, 1 / aspect))
            if w <= width and h <= height:
                return _placed(width, height, w, h, draw)
        draw = PLAIN
    w, h = frame.sides(width, height)
    w /= draw.zoom * (1 + max(draw.stretch, 0))
    h /= draw.zoom * (1 + max(-draw.stretch, 0))
    left, top, right, bottom = _placed(width, height, w, h, draw)
    if draw.zoom == 1 and draw.stretch == 0:
        left, top = math.floor(left), math.floor(top)
        right, bottom = left + w, top + h
    return left, top, right, bottom


def _placed(width: int, height: int, w: float, h: float, draw: Draw) -> Box:
    left, top = draw.crop_x * (width - w), draw.crop_y * (height - h)
    return left, top, min(left + w, width), min(top + h, height)
