"""The view of MLflow's table."""

import json
from typing import Any

from headstart.tracking.view import note, view_tag

FREE_PX = 1440 - 205 - 105 - 150  # beside MLflow's margins and sidebar, the ticks, and the date


def view(*names: str) -> dict[str, Any]:
    tag, value = view_tag(names)
    assert tag == "mlflow.sharedViewState.scores"
    listed = json.loads(value)
    assert listed["name"] == "Scores" and isinstance(listed["createdAt"], int)
    return dict(json.loads(listed["state"]))


def test_the_columns_stand_in_order_and_fit_a_laptop() -> None:
    names = ["valid accuracy", "valid TTA", "test accuracy", "test TTA", "minutes"]
    seen = view(*reversed(names), "tta_evaluate.valid.plain.accuracy")
    assert seen["selectedColumns"] == [f"metrics.`{name}`" for name in names]
    assert seen["columnOrder"] == ["attributes.`Run Name`", *seen["selectedColumns"]]
    assert seen["columnWidths"].keys() == set(seen["columnOrder"])
    assert sum(seen["columnWidths"].values()) <= FREE_PX


def test_train_and_valid_loss_share_a_chart_and_each_column_has_one() -> None:
    charts = view("valid F2", "minutes")["compareRunCharts"]
    assert [c["selectedMetricKeys"] for c in charts if c["type"] == "LINE"] == [
        ["epochs/train loss", "epochs/valid loss"],
        ["epochs/valid score"],
        ["epochs/lr"],
    ]
    assert [c["metricKey"] for c in charts if c["type"] == "BAR"] == ["valid F2", "minutes"]
    sections = {s["uuid"] for s in view()["compareRunSections"]}
    assert {c["metricSectionId"] for c in charts} == sections


def test_the_experiment_links_to_its_view() -> None:
    link = "(#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey=scores)"
    assert link in note("7")
