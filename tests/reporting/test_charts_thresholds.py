"""The F2 of each label over its threshold."""

import numpy as np
import pandas as pd
import pytest

from headstart.evaluation.predictions import Predictions
from headstart.reporting.charts_thresholds import N_SHOWN, label_f2, thresholds_chart
from tests.reporting.drawings import drawn, lines_of, words


def predictions(
    tta: list[list[float]], targets: list[list[int]], thresholds: tuple[float, ...]
) -> Predictions:
    n, k = len(tta), len(thresholds)
    table = pd.DataFrame({"id": [str(i) for i in range(n)], "split": "valid", "targets": targets})
    names = tuple(f"<label {number}>" for number in range(k))
    made = np.array(tta)
    return Predictions(names, table, made[None], made, "multi_label", {"tta": thresholds})


def test_a_label_counts_all_pictures_at_once() -> None:
    decided = np.array([[True, False], [True, False], [False, False]])
    truth = np.array([[True, False], [False, False], [True, False]])
    # One hit, two decided, two with the label: 5·1 / (4·2 + 2). None and none: 1.
    assert label_f2(decided, truth).tolist() == [0.5, 1.0]


def test_the_worst_label_comes_first_with_its_threshold() -> None:
    tta = [[0.9, 0.3], [0.8, 0.6], [0.1, 0.55]]
    chart = thresholds_chart(predictions(tta, [[0, 1], [0], []], (0.5, 0.5)), "valid", "tta")
    assert chart is not None
    assert [label.name for label in chart.labels] == ["<label 1>", "<label 0>"]
    worst, best = chart.labels
    # At 0.5 label 1 is given twice, both wrong; up to 0.3 it is given to all three: 5 / (4 + 3).
    assert (worst.chosen, worst.highest) == ("F2 0.000 at 0.50", "highest 0.714 at 0.01")
    assert (best.chosen, best.highest) == ("F2 1.000 at 0.50", "")
    assert (worst.at, worst.up, best.up) == ("50", "100", "0")
    assert chart.rest == ""
    markup = drawn("thresholds_chart", chart)
    assert lines_of(markup, "kept") == ["50", "50"]
    assert "&lt;label 1&gt;" in markup


def test_the_line_steps_where_the_decision_changes() -> None:
    chart = thresholds_chart(predictions([[0.3], [0.6]], [[0], []], (0.2,)), "valid", "tta")
    assert chart is not None
    points = chart.labels[0].line.line.removeprefix("M").split("L")
    places = {float(x): float(y) for x, y in (point.split() for point in points)}
    assert places[30] == pytest.approx(100 - 100 * 5 / 6, abs=0.01)  # one right of two
    assert places[31] == places[60] == places[61] == 100  # only the wrong one, then none


def test_labels_beyond_the_worst_and_those_without_a_picture_are_told() -> None:
    k = N_SHOWN + 3
    targets = [list(range(k - 1)), []]
    tta = [[0.9] * k, [0.1] * k]
    chart = thresholds_chart(predictions(tta, targets, (0.5,) * k), "valid", "tta")
    assert chart is not None
    assert len(chart.labels) == N_SHOWN
    assert chart.rest == (
        "Not drawn: 2 other labels have F2 1.000 to 1.000. "
        f"No picture of valid has: <label {k - 1}>."
    )
    assert chart.rest in words(drawn("thresholds_chart", chart).replace("&lt;", "‹")).replace(
        "‹", "<"
    )


def test_without_a_label_there_is_none() -> None:
    made = predictions([[0.9]], [[]], (0.5,))
    assert thresholds_chart(made, "valid", "tta") is None
    assert thresholds_chart(made, "test", "tta") is None
