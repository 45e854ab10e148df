"""The confusion matrix and the contact sheets, as matplotlib figures (never pyplot)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

from headstart.scores.metrics import Ints

N_CLASSES_WITH_NUMBERS = 60
"""Above this many classes a cell is too small for its count."""

N_CLASSES_ON_A_SHEET = 120
HEADING, SIDE, PICTURE, GAP, CAPTION_LINE, NOTE_LINE = 0.4, 0.4, 1.65, 0.1, 0.145, 0.18
"""Lengths on a contact sheet, in inches."""
SMALL = 8
"""Font size of the captions, in points."""

GREEN, RED, INK, GREY = "#276749", "#c53030", "#1a202c", "#718096"


@dataclass(frozen=True)
class Tile:
    """One picture of a contact sheet."""

    pixels: NDArray[np.uint8]
    """(H, W, 3)"""
    caption: str
    good: bool
    """Whether the caption is green; otherwise it is red."""


def confusion_figure(
    counts: Ints, classes: Sequence[str], title: str, last_is_none: bool = False
) -> Figure:
    """Counts (K, K), rows actual, columns predicted; the colour is the share of its row.

    Args:
        counts: (K, K)
        classes: K names
        title: of the figure
        last_is_none: whether the last class stands for "no label", as in LabelConfusion. It is then
            set apart, and small shares get more colour, because errors spread over more cells.
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
        # Zeros are written only in a small matrix; in a large one they are clutter.
        for row, column in np.argwhere((counts > 0) | (k < 12)):
            colour = "white" if shares[row, column] ** gamma > 0.5 else INK
            axes.text(column, row, str(counts[row, column]), color=colour, **text)
    bar = figure.colorbar(image, ax=axes, shrink=0.5, aspect=30, pad=0.02, format="{x:.0%}")
    whole = "row" if last_is_none else "actual class"
    bar.set_label(f"share of the {whole}", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    # The first layout may cut off a title or a label; the next one starts from it and fits.
    figure.draw_without_rendering()
    return figure


def contact_sheet_figure(rows: Sequence[tuple[str, Sequence[Tile]]], title: str) -> Figure:
    """One row of pictures per class, with its name on the left; a note names classes without any.

    Only the first N_CLASSES_ON_A_SHEET rows are shown. The whole sheet is one pair of axes, in
    inches: separate axes for the hundreds of pictures of 120 classes take minutes.
    """
    shown = [(name, tiles) for name, tiles in rows if tiles]
    none = [name for name, tiles in rows if not tiles]
    n_left_out = max(0, len(shown) - N_CLASSES_ON_A_SHEET)
    shown = shown[:N_CLASSES_ON_A_SHEET]
    n_columns = max([len(tiles) for _, tiles in shown], default=0)
    captions = [tile.caption for _, tiles in shown for tile in tiles]
    caption = CAPTION_LINE * max([text.count("\n") + 1 for text in captions], default=0) + GAP
    row, column = caption + PICTURE, PICTURE + GAP  # from one picture to the next
    width = max(5.0, SIDE + column * n_columns)
    notes = [f"None: {', '.join(none)}"] if none else []
    notes += [f"And {n_left_out} more classes."] if n_left_out else []
    lines = [line for note in notes for line in wrap(note, int(width * 13))]
    below = HEADING + row * len(shown) + GAP
    height = below + NOTE_LINE * len(lines) + GAP
    figure = Figure(figsize=(width, height), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()

    def write(x: float, y: float, text: str, **style: Any) -> None:
        axes.text(x, y, text, parse_math=False, **style)

    write(0.1, 0.12, title, va="top", fontweight="bold", fontsize=12)
    for i, (name, tiles) in enumerate(shown):
        top = HEADING + row * i + caption
        style: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "center"}
        middle = top + (PICTURE - caption) / 2
        write(SIDE / 2, middle, _short(name, 22), fontsize=10, fontweight="bold", **style)
        for j, tile in enumerate(tiles):
            left, (h, w, _) = SIDE + column * j, tile.pixels.shape
            scale = PICTURE / max(h, w)
            extent = (left, left + w * scale, top + h * scale, top)
            axes.imshow(tile.pixels, extent=extent, aspect="auto")
            colour = GREEN if tile.good else RED
            write(
                left, top - 0.04, _fitted(tile.caption), va="bottom", fontsize=SMALL, color=colour
            )
    for i, line in enumerate(lines):
        write(0.1, below + NOTE_LINE * i, line, va="top", color=GREY, fontsize=9)
    axes.set(xlim=(0, width), ylim=(height, 0))  # imshow sets its own limits
    return figure


def _fitted(caption: str) -> str:
    """The caption, without the middle of lines that are wider than a picture."""
    return "\n".join(map(_fitted_line, caption.split("\n")))


def _fitted_line(line: str) -> str:
    kept, n = line, len(line)
    while n > 2 and sum(map(_advance, kept)) > PICTURE:
        n -= 1
        kept = f"{line[: n // 2]}…{line[len(line) - n // 2 :]}"
    return kept


@cache
def _advance(character: str) -> float:
    """Advance width of a character of a caption, in inches."""
    font = FontProperties(size=SMALL)
    between, beside = (
        text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
        for text in (f"x{character}x", "xx")
    )
    return float(between - beside) / 72


def _short(text: str, n: int) -> str:
    return text if len(text) <= n else text[: n - 1] + "…"
