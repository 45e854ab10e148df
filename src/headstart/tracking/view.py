"""The view of MLflow's table that shows the scores: complete rows, five columns, and charts."""

import json
from collections.abc import Container
from typing import Any

from headstart.tracking.headline import CURVES, MINUTES, SCORES

NAME = "scores"  # …/runs?workflowType=machine_learning&viewStateShareKey=scores
COMPLETE = "headstart.complete"
"""The tag of a row: "true" when the row and its stage runs have all their numbers."""
CREATED_MS = 1_795_737_600_000  # of the view; MLflow sorts its list by it
RUN_NAME = "attributes.`Run Name`"
NAME_PX, SCORE_PX, MINUTES_PX = 300, 118, 90  # with MLflow's own columns they fit 1,440 px
COLUMNS = [
    *(f"{split} {name}" for split in ("valid", "test") for name in (*SCORES.values(), "TTA")),
    MINUTES,
]
LINES = (
    [CURVES["train_loss"], CURVES["valid_loss"]],
    [CURVES["valid_score"]],
    [CURVES["lr"]],
)
"""The metrics of each line chart over the epochs of all stages."""


def view_tag(headline: Container[str]) -> tuple[str, str]:
    """Return name and value of the experiment's tag that makes MLflow list the view.

    Args:
        headline: names of the numbers of a row that become columns and charts.
    """
    names = [name for name in COLUMNS if name in headline]
    columns = {f"metrics.`{name}`": MINUTES_PX if name == MINUTES else SCORE_PX for name in names}
    lines = [_chart("LINE", "epochs", metrics) for metrics in LINES]
    view = {
        "searchFilter": f'tags."{COMPLETE}" = "true"',
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "selectedColumns": list(columns),
        "columnOrder": [RUN_NAME, *columns],
        "columnWidths": {RUN_NAME: NAME_PX, **columns},
        "compareRunCharts": lines + [_chart("BAR", "scores", [name]) for name in names],
        "compareRunSections": [
            {"uuid": uuid, "name": name, "display": True, "isReordered": True}
            for uuid, name in (("epochs", "Epochs of all stages"), ("scores", "Scores"))
        ],
        "isAccordionReordered": True,
    }
    listed = {"name": NAME.title(), "createdAt": CREATED_MS, "state": json.dumps(view)}
    return f"mlflow.sharedViewState.{NAME}", json.dumps(listed)


def note(experiment_id: str) -> str:
    """Return the description of the experiment: a link to the view.

    MLflow opens an experiment at its pages for language models until the browser's user chooses
    *Model training*. The description stands on those too.
    """
    view = (
        f"#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={NAME}"
    )
    return (
        f"[**Scores of all rows**]({view}): one row for each state of the project. "
        "Below each are the runs of its stages."
    )


def _chart(kind: str, section: str, metrics: list[str]) -> dict[str, Any]:
    """Return a chart of `metrics` for the rows of the table."""
    chart = {
        "type": kind,
        "uuid": metrics[0],
        "metricSectionId": section,
        "metricKey": metrics[0],
        "runsCountToCompare": 10,
    }
    if kind == "BAR":
        return chart
    return chart | {
        "selectedMetricKeys": metrics,
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "lineSmoothness": 0,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
        "yAxisKey": "metric",
        "yAxisExpressions": [],
    }
