"""Reads captions and pictures back from the figure of a contact sheet."""

import numpy as np
from matplotlib.figure import Figure


def tiles(figure: Figure) -> list[tuple[str, int]]:
    """For each picture: the caption above its left edge, and the red value of its first pixel."""
    [axes] = figure.axes
    found = []
    for image in axes.images:
        left, _, _, top = image.get_extent()
        above = [t for t in axes.texts if t.get_position()[0] == left and t.get_position()[1] < top]
        nearest = max(above, key=lambda text: float(text.get_position()[1]))
        found.append((nearest.get_text(), int(np.asarray(image.get_array())[0, 0, 0])))
    return found
