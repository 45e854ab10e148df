"""The drawing of a range test."""

import io
import math

import pandas as pd
import pytest

from headstart.reporting.charts_range_test import range_test_chart
from tests.reporting.drawings import drawn, lines_of, readings, words

LRS, LOSSES = [1e-4, 1e-3, 1e-2, 1e-1, 1.0], [1.0, 0.9, 0.5, 0.6, 30.0]


def curve(losses: list[float]) -> pd.DataFrame:
    """As it is read from the CSV: without rows its columns have no type."""
    rows = {"lr": LRS[: len(losses)], "loss": losses, "smoothed_loss": losses}
    return pd.read_csv(io.StringIO(pd.DataFrame(rows).to_csv(index=False)))


def test_the_suggestion_is_marked_and_named() -> None:
    markup = drawn("range_test_chart", range_test_chart(curve(LOSSES), 0.01, "rule valley", "Head"))
    assert lines_of(markup, "suggested") == ["50.0"]
    assert words(markup).startswith("Head Suggestion 0.01: rule valley. smoothed loss one batch")
    assert '<text class="mark suggested" x="50.0%"' in markup


def test_without_a_suggestion_the_reason_is_said_and_nothing_marked() -> None:
    markup = drawn("range_test_chart", range_test_chart(curve(LOSSES), None, "too <flat>", "<b>"))
    assert "<b> No suggestion: too <flat>." in words(markup)
    assert "too &lt;flat&gt;" in markup
    assert "suggested" not in markup


def test_every_step_can_be_read_also_one_above_the_plot() -> None:
    chart = range_test_chart(curve(LOSSES), None, "flat", "Head")
    assert chart.readings == tuple(
        (at, text) for at, text in readings(drawn("range_test_chart", chart))
    )
    assert [at for at, _ in chart.readings] == [0, 25, 50, 75, 100]
    assert chart.readings[-1][1] == "rate 1 · smoothed loss 30 · this batch 30"


def test_the_blow_up_at_the_end_does_not_flatten_the_curve() -> None:
    chart = range_test_chart(curve(LOSSES), None, "flat", "Head")
    assert float(chart.y_ticks[0].label) < 1
    assert chart.batches.count("h0") == 4  # the fifth is above the plot


@pytest.mark.parametrize("losses", [[], [math.nan, math.inf]])
def test_without_a_loss_only_the_sentence_is_shown(losses: list[float]) -> None:
    markup = drawn("range_test_chart", range_test_chart(curve(losses), None, "skipped", "Head"))
    assert words(markup) == "Head No suggestion: skipped."


@pytest.mark.parametrize("losses", [[1.0], [0.0, 0.0], [1.0, 0.5, math.nan, math.inf]])
def test_a_short_flat_or_broken_curve_is_drawn(losses: list[float]) -> None:
    markup = drawn("range_test_chart", range_test_chart(curve(losses), None, "too short", "Head"))
    assert "<path" in markup
    assert "nan" not in markup
