"""The confusion matrix and the contact sheets, as matplotlib figures (never pyplot)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from headstart.core.metrics import Ints

N_CLASSES_WITH_NUMBERS = 60
"""Above this many classes a cell is too small for its count."""

GREEN, RED, INK, GREY = "#276749", "#c53030", "#1a202c", "#718096"


@dataclass(frozen=True)
class Tile:
    """One picture of a contact sheet."""

    pixels: NDArray[np.uint8]
    """(H, W, 3)"""
    caption: str
    good: bool
    """Caption in green, else in red."""


def confusion_figure(
    counts: Ints, classes: Sequence[str], title: str, last_is_none: bool = False
) -> Figure:
    """Counts (K, K), rows actual, columns predicted; the colour is the share of its row.

    Args:
        counts: (K, K)
        classes: K names
        title: of the figure
        last_is_none: the last class stands for no label, of LabelConfusion: it is set apart, and
            small shares are coloured more, as errors spread over more cells
    """
    k = len(classes)
    side = float(np.clip(0.32 * k + 2.2, 4.2, 20))
    figure = Figure(figsize=(side + 0.8, side), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    gamma = 0.5 if last_is_none else 1.0
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(gamma, vmin=0, vmax=1))
    names = [_short(name, 24) for name in classes]
    size = float(np.clip(260 / max(k, 1), 4, 10))
    long = k > 6 or max(map(len, names), default=0) > 10
    style: dict[str, Any] = {"fontsize": size, "parse_math": False}
    axes.set_xticks(range(k), names, rotation=90 if long else 0, **style)
    axes.set_yticks(range(k), names, **style)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(k - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(k - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    if last_is_none:
        axes.axhline(k - 1.5, color=GREY, linewidth=1)
        axes.axvline(k - 1.5, color=GREY, linewidth=1)
    if k <= N_CLASSES_WITH_NUMBERS:
        text: dict[str, Any] = {"ha": "center", "va": "center"}
        text["fontsize"] = 1.3 * size if k < 12 else size
        # A zero is worth its ink only where the eye can hold the whole matrix.
        for row, column in np.argwhere((counts > 0) | (k < 12)):
            colour = "white" if shares[row, column] ** gamma > 0.5 else INK
            axes.text(column, row, str(counts[row, column]), color=colour, **text)
    bar = figure.colorbar(image, ax=axes, shrink=0.5, aspect=30, pad=0.02, format="{x:.0%}")
    whole = "row" if last_is_none else "actual class"
    bar.set_label(f"share of the {whole}", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    # The first layout may leave a title or a label half outside; the next starts from it and fits.
    figure.draw_without_rendering()
    return figure


def contact_sheet_figure(rows: Sequence[tuple[str, Sequence[Tile]]], title: str) -> Figure:
    """A row a class, named on its left; as many columns as the longest row has pictures."""
    n_columns = max([len(tiles) for _, tiles in rows], default=0) or 1
    heights = [2.1 if tiles else 0.4 for _, tiles in rows] or [0.4]
    figure = Figure(figsize=(max(4, 1.0 + 1.75 * n_columns), 0.5 + sum(heights)), dpi=110)
    figure.set_layout_engine("constrained", w_pad=0.04, h_pad=0.05)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12, parse_math=False)
    grid = figure.subplots(len(heights), n_columns, squeeze=False, height_ratios=heights)
    for axes in grid.flat:
        axes.set_axis_off()
    for (name, tiles), line in zip(rows, grid, strict=False):
        side: dict[str, Any] = {"transform": line[0].transAxes, "va": "center", "fontsize": 10}
        if tiles:
            name = _short(name, 22)
            side |= {"rotation": 90, "ha": "right", "fontweight": "bold"}
            line[0].text(-0.08, 0.5, name, parse_math=False, **side)
        else:
            line[0].text(-0.2, 0.5, f"{name}: none", color=GREY, parse_math=False, **side)
        for tile, axes in zip(tiles, line, strict=False):
            axes.imshow(tile.pixels)
            colour = GREEN if tile.good else RED
            axes.set_title(tile.caption, fontsize=8, color=colour, pad=3, parse_math=False)
    return figure


def _short(text: str, n: int) -> str:
    return text if len(text) <= n else text[: n - 1] + "…"
