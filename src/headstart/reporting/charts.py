"""The drawings of the report page, as values from which templates/charts.html makes SVG.

Each drawing has a module, a function and a macro: tables in, a frozen dataclass out, SVG from the
macro of the function's name. A page shows them so, `charts` being what the function returned:

    <style>{% include "charts.css" %}</style>
    {% from "charts.html" import range_test_chart %}
    <div class="charts">{% for chart in charts %}{{ range_test_chart(chart) }}{% endfor %}</div>
    <script>{% include "charts.js" %}</script>    (once, below the last drawing)

The div puts range tests or reliability diagrams side by side where there is room. The functions:

| module, function | takes | gives None |
|---|---|---|
| charts_range_test.range_test_chart | a CSV of find_lr_*, its suggestion, a title | never |
| charts_course.course_chart | the Course, the score's name | without an epoch |
| charts_reliability.reliability_chart | predictions, split, kind | without a labelled picture |
| charts_thresholds.thresholds_chart | predictions, split, kind | without a picture with a label |

The colours follow `color-scheme`, so the page sets `:root { color-scheme: light dark }`. The script
shows the values under the pointer; without it everything else is there. charts.css takes the page's
--ink, --muted, --line, --card, --blue, --orange, --green and --red where it has them.

Places are in percent of the plot, x from the left and y from the top. So a plot stretches with the
page, while its text, dots and widths of lines keep their size in CSS pixels at any width.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

N_DOTS = 60
"""A line of more points is drawn without a dot at each."""

Reading = tuple[float, str]
"""What the script shows under the pointer: a place on the x axis in percent, and a text."""


@dataclass(frozen=True)
class Tick:
    """A labelled place of an axis, in percent from its low end."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A range of values and its ticks; values outside it get places outside 0 … 100."""

    low: float
    high: float
    log: bool
    ticks: tuple[Tick, ...]

    def places(self, values: ArrayLike) -> Floats:
        """Places in percent from the low end; NaN where a value is not finite or has no logarithm."""
        found = np.asarray(values, np.float64)
        return (_scaled(found, self.log) - self.low) / (self.high - self.low) * 100

    def place(self, value: float) -> float:
        """The place of one value, to a hundredth of a percent."""
        return round(float(self.places([value])[0]), 2)


def linear_axis(low: float, high: float, n_ticks: int = 5, whole: bool = False) -> Axis:
    """An axis from low to high, above it by a bit if they are equal, with about n_ticks round ticks.

    Args:
        low: value at the low end
        high: value at the high end
        n_ticks: most intervals between ticks
        whole: ticks at whole numbers only
    """
    if high <= low:
        low, high = low - 0.05 * (abs(low) or 1), low + 0.05 * (abs(low) or 1)
    locator = MaxNLocator(
        n_ticks, steps=[1, 2, 5, 10], integer=whole, min_n_ticks=1 if whole else 3
    )
    values = [float(value) for value in locator.tick_values(low, high)]
    step = values[1] - values[0]
    n_digits = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks = ((value, f"{value:,.{n_digits}f}") for value in values if low <= value <= high)
    return _axis(low, high, False, ticks)


def spread_axis(values: ArrayLike, log: bool = False) -> Axis:
    """An axis that holds all finite values with some room at both ends; 0 … 1 without any.

    A logarithmic one ignores values up to 0, and becomes linear if there is no other.
    """
    scaled = _scaled(np.asarray(values, np.float64), log)
    finite = scaled[np.isfinite(scaled)]
    if not len(finite):
        return linear_axis(0, 1)
    low, high = float(finite.min()), float(finite.max())
    room = 0.08 * (high - low) or (math.log10(2) if log else 0.05 * abs(low) or 1)
    return _log_axis(low - room, high + room) if log else linear_axis(low - room, high + room)


def rate_axis(values: ArrayLike) -> Axis:
    """A logarithmic axis from the least to the greatest positive value, without room at the ends."""
    scaled = _scaled(np.asarray(values, np.float64), log=True)
    finite = scaled[np.isfinite(scaled)]
    if len(finite) and finite.min() < finite.max():
        return _log_axis(float(finite.min()), float(finite.max()))
    return spread_axis(values, log=True)


@dataclass(frozen=True)
class Series:
    """A line of a plot.

    Attributes:
        key: class in the page: it sets the colour and is what a legend switches.
        name: in the legend.
        line: `d` of an SVG path, a part for each run of finite points.
        dots: `d` of a path of zero length at each point; of lonely points only, if there are many.
    """

    key: str
    name: str
    line: str
    dots: str


def series(key: str, name: str, x: Floats, y: Floats) -> Series:
    """The line through N points: places x (N,) from the left and y (N,) from the BOTTOM, in percent.

    Where either is NaN the line is broken.
    """
    keep = np.isfinite(x) & np.isfinite(y)
    edges = np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8)).nonzero()[0]
    runs = [slice(*ends) for ends in edges.reshape(-1, 2).tolist()]
    points = [f"{number(a)} {number(100 - b)}" for a, b in zip(x, y, strict=True)]
    few = int(keep.sum()) <= N_DOTS
    dotted = [p for run in runs if few or run.stop - run.start == 1 for p in points[run]]
    return Series(key, name, "".join("M" + "L".join(points[run]) for run in runs), dots(dotted))


def dots(points: Iterable[str]) -> str:
    """`d` of a path that draws a dot at each point `x y`, round at any stretch of the plot."""
    return "".join(f"M{point}h0" for point in points)


def number(value: float) -> str:
    """A place for a path, to a hundredth of a percent: 12.5, 33.33, 100."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def digits(value: float) -> str:
    """Three significant digits: 0.251, 1,230, 2.5e-05; `no number` if it is infinite or NaN."""
    if not math.isfinite(value):
        return "no number"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _scaled(values: Floats, log: bool) -> Floats:
    found = np.where(np.isfinite(values) & ((values > 0) | (not log)), values, np.nan)
    return np.log10(found) if log else found


def _log_axis(low: float, high: float) -> Axis:
    """An axis between two powers of ten: whole decades if it holds three, else 1, 2 and 5 of each."""
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    if len(decades) >= 3:
        stride = math.ceil(len(decades) / 6)
        values = [10.0**decade for decade in decades[::stride]]
    else:
        around = range(math.floor(low), math.ceil(high) + 1)
        values = [lead * 10.0**decade for decade in around for lead in (1, 2, 5)]
    ticks = ((math.log10(value), f"{value:.6g}") for value in values)
    return _axis(low, high, True, (tick for tick in ticks if low - 1e-9 <= tick[0] <= high + 1e-9))


def _axis(low: float, high: float, log: bool, ticks: Iterable[tuple[float, str]]) -> Axis:
    span = high - low
    return Axis(
        low, high, log, tuple(Tick(round((at - low) / span * 100, 2), label) for at, label in ticks)
    )


def from_top(ticks: Sequence[Tick]) -> tuple[Tick, ...]:
    """Ticks of a vertical axis, their places counted from the top."""
    return tuple(Tick(round(100 - tick.at, 2), tick.label) for tick in ticks)
