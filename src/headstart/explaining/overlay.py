"""Heat maps as colours that lie over the pictures."""

import io
from typing import Final

import numpy as np
from PIL import Image

from headstart.backbone.frame import Frame
from headstart.explaining.heat_maps import Heat
from headstart.views.crops import crop_box
from headstart.views.draws import PLAIN

STOPS: Final = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
"""Five even steps of matplotlib's inferno, RGB: equal steps of heat look equally large."""
HOTTEST_OPACITY = 0.6  # of the hottest colour; the coldest is clear
UNSEEN_OPACITY = 0.5  # of the black over what the network was not shown
N_LEVELS = 48  # of heat, in a palette
MASK_PX = 64


def overlay(picture: Image.Image, heat: Heat, frame: Frame) -> Image.Image:
    """The RGB picture under its heat map; what the network was not shown is dark.

    Args:
        picture: RGB, upright, of any size: the file's own or its stored form.
        heat: of the network's plain view.
        frame: what the plain view shows of a picture.
    """
    mask = _mask(heat, picture.size, frame).convert("RGBA")
    shown = picture.copy()
    shown.paste(mask, mask=mask)
    return shown


def mask_png(heat: Heat, size: tuple[int, int], frame: Frame) -> bytes:
    """A small transparent PNG to lie over a whole picture, or over a thumbnail of its proportions.

    Its longer side is MASK_PX; a browser stretches it smoothly. It takes about a kilobyte.

    Args:
        heat: of the network's plain view.
        size: width and height of the picture, in any unit.
        frame: what the plain view shows of a picture.
    """
    width, height = (max(1, round(side * MASK_PX / max(size))) for side in size)
    file = io.BytesIO()
    _mask(heat, (width, height), frame).save(file, "PNG", optimize=True)
    return file.getvalue()


def _mask(heat: Heat, size: tuple[int, int], frame: Frame) -> Image.Image:
    """The colours over a picture of (width, height) px, with their opacity, as a palette image."""
    width, height = size
    left, top, right, bottom = map(round, crop_box(width, height, frame, PLAIN))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    # cells are squares, not points: Pillow lays their centres where the network's cells lie
    spread = Image.fromarray(heat).resize((right - left, bottom - top), Image.Resampling.BICUBIC)
    levels = np.full((height, width), N_LEVELS, np.uint8)  # unseen
    levels[top:bottom, left:right] = np.rint(np.asarray(spread).clip(0, 1) * (N_LEVELS - 1))
    mask = Image.fromarray(levels, "P")
    colours, mask.info["transparency"] = _palette()
    mask.putpalette(colours)
    return mask


def _palette() -> tuple[bytes, bytes]:
    """The colour (three bytes) and the opacity (one) of each level, and of what is unseen."""
    heat, stops = np.linspace(0, 1, N_LEVELS), np.linspace(0, 1, len(STOPS))
    channels = [np.append(np.interp(heat, stops, of_one), 0) for of_one in zip(*STOPS, strict=True)]
    opacities = 255 * np.append(HOTTEST_OPACITY * heat, UNSEEN_OPACITY)
    colours, opacities = (np.rint(x).astype(np.uint8) for x in (np.stack(channels, 1), opacities))
    return colours.tobytes(), opacities.tobytes()
