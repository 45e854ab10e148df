"""The reliability diagram."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from headstart.evaluation.intervals import wilson
from headstart.evaluation.predictions import Predictions
from headstart.labels.task import Task
from headstart.reporting.charts_reliability import (
    reliability_chart,
    reliability_charts,
    reliability_table,
)
from tests.reporting.drawings import drawn, readings, words


def predictions(
    tta: list[list[float]], targets: list[list[int] | None], task: Task = "single_label"
) -> Predictions:
    n, probabilities = len(tta), np.array(tta)
    table = pd.DataFrame({"id": [str(i) for i in range(n)], "split": "valid", "targets": targets})
    plain = np.full_like(probabilities, 1 / probabilities.shape[1])
    return Predictions(("a", "b"), table, plain[None], probabilities, task)


def test_a_picture_counts_by_its_highest_probability() -> None:
    made = predictions([[0.9, 0.1], [0.08, 0.92], [0.3, 0.7], [0.5, 0.5]], [[0], [0], [1], None])
    chart = reliability_chart(made, "valid", "tta")
    assert chart is not None
    # 0.9 and 0.92 lie in one bin, one of the two is right; 0.7 is right; the last has no label.
    assert [(bin_.n, bin_.accuracy) for bin_ in chart.bins] == [(1, 1.0), (2, 0.5)]
    assert chart.ece == pytest.approx(1 / 3 * 0.3 + 2 / 3 * 0.41)
    assert chart.bins[1].interval == wilson(1, 2, 0.95)
    assert "ECE 37.3%: the mean confidence is 84.0%, and 66.7% of 3 pictures are right." in words(
        drawn("reliability_chart", chart)
    )


def test_plain_probabilities_are_their_own() -> None:
    made = predictions([[0.9, 0.1]], [[0]])
    chart = reliability_chart(made, "valid", "plain")
    assert chart is not None
    assert chart.bins[0].confidence == 0.5


def test_of_many_labels_every_probability_counts() -> None:
    made = predictions([[0.9, 0.1], [0.2, 0.65]], [[0, 1], []], "multi_label")
    chart = reliability_chart(made, "valid", "tta")
    assert chart is not None
    assert [(round(bin_.confidence, 2), bin_.accuracy) for bin_ in chart.bins] == [
        (0.1, 1.0),
        (0.2, 0.0),
        (0.65, 0.0),
        (0.9, 1.0),
    ]
    said = words(drawn("reliability_chart", chart))
    assert "50.0% of 4 probabilities are of a label that the picture has." in said
    assert "probabilities, at most 1 in a bar" in said


def test_each_bar_is_drawn_and_can_be_read() -> None:
    made = predictions([[0.95, 0.05]] * 3 + [[0.4, 0.6]], [[0], [0], [1], [1]])
    markup = drawn("reliability_chart", reliability_chart(made, "valid", "tta"))
    assert markup.count('<rect class="bar"') == markup.count('<rect class="count"') == 2
    assert '<rect class="gap" x="93.33%" width="6.67%" y="5.0%" height="28.33%"/>' in markup
    assert readings(markup)[1] == [
        96.67,
        "93% to 100%: 3 pictures · mean confidence 95.0% · right 66.7% (20.8% to 93.9%)",
    ]
    assert readings(markup)[0][1].startswith("53% to 60%: 1 picture · ")


def test_without_a_labelled_picture_there_is_none() -> None:
    made = predictions([[0.9, 0.1]], [None])
    assert reliability_chart(made, "valid", "tta") is None
    assert reliability_chart(made, "test", "tta") is None


def test_the_table_has_a_row_a_bin() -> None:
    table = pd.DataFrame(
        [("a", "valid", [0]), ("b", "valid", [1]), ("c", "test", [1])],
        columns=["id", "split", "targets"],
    )
    said = np.array([[0.7, 0.3], [0.7, 0.3], [0.1, 0.9]])
    predictions = Predictions(("cat", "dog"), table, said[None], said, "single_label", {})
    charts = [reliability_chart(predictions, split, "plain") for split in ("valid", "test")]
    found = reliability_table(chart for chart in charts if chart)
    assert found[["split", "probabilities", "n", "confidence", "share"]].to_numpy().tolist() == [
        ["valid", "uncalibrated", 2, 0.7, 0.5], ["test", "uncalibrated", 1, 0.9, 1.0]
    ]  # fmt: skip
    assert (found["share_low"] < found["share"]).all() and (found["share_high"] <= 1).all()
    assert reliability_table([]).empty


def test_calibration_has_a_diagram_before_and_one_after() -> None:
    made = predictions([[0.9, 0.1], [0.08, 0.92], [0.3, 0.7], [0.5, 0.5]], [[0], [0], [1], None])
    [plain] = reliability_charts(made, "tta")
    assert plain.title == "valid"
    before, after = reliability_charts(replace(made, temperatures={"tta": 2.0}), "tta")
    assert before.bins == plain.bins and before.title == "valid, before calibration"
    assert after.title == "valid, after calibration"
    # three pictures are too few to be calibrated by others, so they stay as they are
    assert after.bins == before.bins
    of_test = replace(made, table=made.table.assign(split="test"), temperatures={"tta": 2.0})
    _, after = reliability_charts(of_test, "tta")
    surest = 0.92**0.5 / (0.92**0.5 + 0.08**0.5)
    assert after.bins[-1].confidence == pytest.approx((0.75 + surest) / 2, abs=1e-9)
    table = reliability_table(reliability_charts(of_test, "tta"))
    assert set(table["probabilities"]) == {"uncalibrated", "calibrated"}
