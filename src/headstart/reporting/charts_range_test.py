"""The drawing of a range test: training loss over the learning rate."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from headstart.reporting.charts import (
    Axis,
    Floats,
    Reading,
    Series,
    Tick,
    digits,
    dots,
    from_top,
    linear_axis,
    number,
    rate_axis,
    series,
)


@dataclass(frozen=True)
class RangeTestChart:
    """What the macro range_test_chart draws.

    Attributes:
        title: heading.
        sentence: the suggested rate and its rule, or why there is none.
        suggested: its place and its value; None if there is none.
        smoothed: the smoothed loss; None if no step was taken.
        batches: `d` of a path of dots: the loss of each batch, those within the plot.
        x_ticks: rates.
        y_ticks: losses.
        readings: rate and losses of each step.
    """

    title: str
    sentence: str
    suggested: Tick | None
    smoothed: Series | None
    batches: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    readings: tuple[Reading, ...]


def range_test_chart(
    curve: pd.DataFrame, lr: float | None, reason: str, title: str
) -> RangeTestChart:
    """Training loss over the rate, with the suggested rate or the reason why there is none.

    Args:
        curve: one row per step, perhaps none: lr (of the last layer group), loss, smoothed_loss
        lr: the rate that was read from the smoothed loss; None if there is none
        reason: how the rate was read, or why there is none
        title: heading
    """
    # A file without rows has columns without a type.
    lrs, raw, smoothed = (curve[name].to_numpy(float) for name in ("lr", "loss", "smoothed_loss"))
    sentence = f"No suggestion: {reason}." if lr is None else f"Suggestion {digits(lr)}: {reason}."
    if not np.isfinite(smoothed).any():
        return RangeTestChart(title, sentence, None, None, "", (), (), ())
    x, y = rate_axis(lrs), _loss_axis(smoothed)
    across, up = x.places(lrs), y.places(raw)
    within = np.isfinite(across) & (up >= 0) & (up <= 100)
    batches = [
        f"{number(a)} {number(100 - b)}" for a, b in zip(across[within], up[within], strict=True)
    ]
    readings = tuple(
        (round(float(at), 2), _reading(rate, batch, loss))
        for at, rate, batch, loss in zip(across, lrs, raw, smoothed, strict=True)
        if np.isfinite(at)
    )
    return RangeTestChart(
        title,
        sentence,
        None if lr is None else Tick(x.place(lr), digits(lr)),
        series("smoothed", "smoothed loss", across, y.places(smoothed)),
        dots(batches),
        x.ticks,
        from_top(y.ticks),
        readings,
    )


def _loss_axis(smoothed: Floats) -> Axis:
    """From half a fall below the lowest loss to a fall above the highest of the first half.

    The blow-up at the end must not flatten the part that a person reads.
    """
    finite = smoothed[np.isfinite(smoothed)]
    low, start = float(finite.min()), float(finite[: max(len(finite) // 2, 1)].max())
    span = max(start - low, 0.05 * abs(start), 1e-6)
    return linear_axis(low - 0.3 * span, start + 0.6 * span)


def _reading(rate: float, batch: float, smoothed: float) -> str:
    return f"rate {digits(rate)} · smoothed loss {digits(smoothed)} · this batch {digits(batch)}"
