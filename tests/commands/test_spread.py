"""Mean and spread of repeated experiments, and the table of them."""

import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.commands.spread import Spread, mean_and_sd, spread_csv, spread_table, spreads

ACCURACY = Spread("a.accuracy", (0.5, None, 0.75, 1.0))


def test_a_row_holds_what_its_head_says_then_every_value() -> None:
    assert ACCURACY.row() == [3, 0.75, pytest.approx(0.25), 0.5, 1.0, 0.5, None, 0.75, 1.0]


def test_one_value_has_a_mean_and_no_spread() -> None:
    assert Spread("a.b", (None, 0.25)).row() == [1, 0.25, None, 0.25, 0.25, None, 0.25]


def test_no_value_has_nothing() -> None:
    assert Spread("a.b", (None,)).row() == [0, None, None, None, None, None]


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9))
def test_sd_is_that_of_a_sample(values: list[float]) -> None:
    mean = math.fsum(values) / len(values)
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    spread = Spread("a.b", tuple(values))
    assert spread.mean == pytest.approx(mean, abs=1e-9)
    assert spread.sd == pytest.approx(sd, abs=1e-9)


def test_metrics_keep_their_order_and_those_of_no_experiment_are_left_out() -> None:
    results = [{"s.b": 1.0, "s.a": 2.0}, {}, {"s.a": 3.0}]
    assert spreads(["s.c", "s.b", "s.a"], results) == [
        Spread("s.b", (1.0, None, None)),
        Spread("s.a", (2.0, None, 3.0)),
    ]


def test_the_table_lines_up_and_shows_what_is_not_there() -> None:
    lines = spread_table(
        ["seed-0", "seed-1", "seed-2", "seed-3"], [ACCURACY, Spread("b.n", (None, 2000.0, 1, 3))]
    ).splitlines()
    assert lines[0].split() == [
        *("metric", "n", "mean", "sd", "lowest", "highest"),
        *("seed-0", "seed-1", "seed-2", "seed-3"),
    ]
    cells = ["3", "0.7500", "0.2500", "0.5000", "1.0000", "0.5000", "-", "0.7500", "1.0000"]
    assert lines[1].split() == ["a.accuracy", *cells]
    assert len({len(line) for line in lines}) == 1


def test_the_csv_is_not_rounded() -> None:
    rows = [Spread("a.b", (1 / 3, None))]
    [head, row] = csv.reader(io.StringIO(spread_csv(["one", "two"], rows)))
    assert head == ["metric", "n", "mean", "sd", "lowest", "highest", "one", "two"]
    assert row == ["a.b", "1", repr(1 / 3), "", repr(1 / 3), repr(1 / 3), repr(1 / 3), ""]


def test_mean_and_sd_as_a_table_shows_them() -> None:
    assert mean_and_sd([0.5, 0.75, 1.0]) == "0.7500 (0.2500)"
    assert mean_and_sd([0.5], digits=2) == "0.50"
