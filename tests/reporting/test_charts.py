"""Axes, ticks and lines of the drawings, in percent of a plot."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from headstart.reporting import charts
from headstart.reporting.charts import (
    N_DOTS,
    Axis,
    digits,
    from_top,
    linear_axis,
    rate_axis,
    series,
    spread_axis,
)


def labels(axis: Axis) -> list[str]:
    return [tick.label for tick in axis.ticks]


def test_a_linear_axis_has_round_ticks_at_their_places() -> None:
    axis = linear_axis(0.1, 0.9)
    assert labels(axis) == ["0.2", "0.4", "0.6", "0.8"]
    assert [tick.at for tick in axis.ticks] == [12.5, 37.5, 62.5, 87.5]
    assert [tick.at for tick in from_top(axis.ticks)] == [87.5, 62.5, 37.5, 12.5]


@pytest.mark.parametrize(
    ("n", "expected"), [(1, ["1"]), (3, ["1", "2", "3"]), (40, ["5", "10", "15", "20"])]
)
def test_epochs_are_whole(n: int, expected: list[str]) -> None:
    assert labels(linear_axis(0.5, n + 0.5, 10, whole=True))[: len(expected)] == expected


def test_a_logarithmic_axis_has_decades_or_where_they_are_few_1_2_5() -> None:
    assert labels(rate_axis([1e-4, 1.0])) == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert labels(rate_axis([1e-3, 1e-2])) == ["0.001", "0.002", "0.005", "0.01"]
    assert len(rate_axis([1e-9, 1e3]).ticks) <= 7
    assert rate_axis([1e-4, 1.0]).place(0.01) == 50


def test_what_has_no_logarithm_has_no_place() -> None:
    places = rate_axis([0.01, 1.0]).places([0.0, -1.0, math.nan, math.inf, 0.1])
    assert np.isnan(places[:4]).all()
    assert places[4] == pytest.approx(50)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[], [math.nan], [0.01], [0.01, 0.01], [0.0], [0.5, math.inf]])
def test_any_values_have_an_axis_with_ticks_that_holds_them(values: list[float], log: bool) -> None:
    axis = spread_axis(values, log)
    places = axis.places([value for value in values if value > 0 and math.isfinite(value)])
    assert axis.ticks
    assert axis.low < axis.high
    assert ((places > 0) & (places < 100)).all()


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    y = np.array([0, math.nan, 50, 100, math.nan, 25])
    line = series("a", "A", np.linspace(0, 100, 6), y)
    assert line.line == "M0 100M40 50L60 0M100 75"
    assert line.dots == "M0 100h0M40 50h0M60 0h0M100 75h0"


def test_of_many_points_only_lonely_ones_are_dotted() -> None:
    y = np.ones(N_DOTS + 3)
    y[1] = math.nan
    assert series("a", "A", np.linspace(0, 1, len(y)), y).dots == "M0 99h0"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25118, "0.251"), (2.5e-5, "2.5e-05"), (12345.6, "12,346"), (math.nan, "no number")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_style_and_script_ask_for_nothing_from_outside_and_no_text_is_below_11_px() -> None:
    folder = Path(charts.__file__).parent / "templates"
    style, script = ((folder / f"charts.{kind}").read_text() for kind in ("css", "js"))
    assert not re.search(r"https?:|url\(|@import|fetch|import\(", style + script)
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", style)]
    assert sizes
    assert min(sizes) >= 11
    assert len(style + script) < 12_000
