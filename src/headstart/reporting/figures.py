"""Curves of the range test and of training, as matplotlib figures (never pyplot's global state)."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

BLUE, ORANGE, RED, GREY = "#2b6cb0", "#dd6b20", "#c53030", "#718096"


def lr_curve_figure(curve: pd.DataFrame, lr: float | None, reason: str, title: str) -> Figure:
    """Training loss against learning rate, with the suggested rate marked or its absence explained.

    Args:
        curve: one row per step, perhaps none: lr (of the last layer group), loss, smoothed_loss.
        lr: the rate that was read from the smoothed loss; None if there is none.
        reason: how the rate was read, or why there is none.
        title: heading of the figure.
    """
    figure = Figure(figsize=(8, 4.8), dpi=120, layout="constrained")
    axes = _plain_axes(figure.add_subplot(), "training loss")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate (log scale)")
    axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
    # A file without rows has columns without a type.
    lrs, raw, smoothed = (curve[name].astype(float) for name in ("lr", "loss", "smoothed_loss"))
    axes.plot(lrs, raw, ".", color=GREY, alpha=0.45, markersize=4, label="one batch")
    axes.plot(lrs, smoothed, color=BLUE, linewidth=2.2, label="smoothed")
    finite = smoothed[np.isfinite(smoothed)]
    if len(finite):
        # The blow-up at the end must not flatten the part that a person reads.
        low, start = finite.min(), finite.iloc[: max(len(finite) // 2, 1)].max()
        span = max(start - low, 0.05 * abs(start), 1e-6)
        axes.set_ylim(low - 0.5 * span, start + span)
    name = "no suggestion" if lr is None else f"suggestion {lr:.3g}"
    if lr is not None:
        axes.axvline(lr, color=ORANGE, linewidth=1.6, label=name)
    note = textwrap.fill(f"{name}: {reason}", 110)
    colour = RED if lr is None else GREY
    figure.supxlabel(note, color=colour, fontsize=9, parse_math=False)
    axes.legend(frameon=False, loc="upper left")
    return figure


def epoch_curves_figure(table: pd.DataFrame, title: str, score: str) -> Figure:
    """Loss, score and learning rate of each epoch, with lines where cycles start.

    Args:
        table: one row per epoch, in order: epoch (from 0), phase, cycle, lr (of the last group, at
            the epoch's start or mean), train_loss, valid_loss, valid_score. The two columns of
            valid may be missing, or hold NaN where nothing was measured.
        title: heading of the figure
        score: name of the score in valid_score
    """
    figure = Figure(figsize=(12, 3.8), dpi=120, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", parse_math=False)
    loss, accuracy, rate = figure.subplots(1, 3)
    epochs = table["epoch"]
    _plain_axes(loss, "loss").plot(epochs, table["train_loss"], "o-", color=BLUE, label="training")
    if "valid_loss" in table:
        loss.plot(epochs, table["valid_loss"], "o-", color=ORANGE, label="valid")
    loss.legend(frameon=False)
    _plain_axes(accuracy, f"{score} on valid")
    if "valid_score" in table and table["valid_score"].notna().any():
        scores = table["valid_score"]
        accuracy.plot(epochs, scores, "o-", color=ORANGE)
        best = table.loc[scores == scores.max()].iloc[0]
        place = (float(best["epoch"]), float(best["valid_score"]))
        style = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center", "fontsize": 9}
        accuracy.annotate(f"best {place[1]:.4f}", place, **style)
        accuracy.margins(y=0.18)
    else:
        centre = {"ha": "center", "transform": accuracy.transAxes}
        accuracy.text(0.5, 0.5, "not measured", color=GREY, **centre)
    _plain_axes(rate, "learning rate").plot(epochs, table["lr"], "o-", color=GREY)
    rate.set_yscale("log" if (table["lr"] > 0).all() else "linear")
    starts = table.loc[table[["phase", "cycle"]].ne(table[["phase", "cycle"]].shift()).any(axis=1)]
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch (dotted: a cycle starts)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
        for epoch in starts["epoch"][1:]:
            axes.axvline(epoch - 0.5, color=GREY, linewidth=0.9, linestyle=":")
    return figure


def _plain_axes(axes: Axes, ylabel: str) -> Axes:
    """Light grid, no box."""
    axes.set_ylabel(ylabel)
    axes.grid(color="#e2e8f0", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes
