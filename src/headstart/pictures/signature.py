"""A small grey picture of each picture, by which near duplicates are found."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
"""Cells of a side; the picture is squashed into a square of them."""

MIN_PX = 9
"""Least shorter side of a picture that has a signature."""

FINE_PX = 96
"""Least shorter side of what the cells are means of, which is rounded to whole levels."""

FLAT = 0.5
"""Least standard deviation of the cells, grey levels of 255; below it, compression decides them."""


def signature(image: Image.Image) -> NDArray[np.float16] | None:
    """The mean grey levels of 32 x 32 cells, (32, 32); None: the picture is flat or below 9 px.

    A cell keeps fractions of a level, by which pictures with little contrast differ.
    """
    if min(image.size) < MIN_PX:
        return None
    small = image.reduce(max(1, min(image.size) // FINE_PX))  # much faster than all pixels below
    grey = small.convert("L").convert("F")  # mode L would round the means
    cells = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX))
    return cells.astype(np.float16) if cells.std() >= FLAT else None
