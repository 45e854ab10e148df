"""What a tracking server must hold when nothing was lost, and nothing told twice."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient

from headstart.tracking.runs import MISSING
from headstart.tracking.tracker import RUNS, STATE
from headstart.tracking.view import COMPLETE

RECORD = "headstart.record"


def experiments(client: MlflowClient) -> list[str]:
    """The id of headstart's experiment; nothing as long as nobody has made it."""
    found = client.get_experiment_by_name("headstart")
    return [found.experiment_id] if found else []


def all_runs(client: MlflowClient) -> list[Any]:
    """All runs of headstart's experiment."""
    there = experiments(client)
    return list(client.search_runs(there, max_results=5000)) if there else []


def check_all_is_told(
    client: MlflowClient, states: Counter[str], records: Mapping[str, int]
) -> None:
    """Check that the server has each row and each stage's run once, whole, linked, with its files.

    Args:
        client: of the server.
        states: digest of each state -> its rows.
        records: key of each stage's run -> points of its metrics.
    """
    runs = all_runs(client)
    rows = [run for run in runs if STATE in run.data.tags]
    stages = {run.info.run_id: run for run in runs if RECORD in run.data.tags}
    assert Counter(row.data.tags[STATE] for row in rows) == states
    assert Counter(run.data.tags[RECORD] for run in stages.values()) == Counter(list(records))
    assert len(runs) == len(rows) + len(stages)
    for run in runs:
        assert run.info.status == "FINISHED" and MISSING not in run.data.tags, run
        assert client.list_artifacts(run.info.run_id), run
    for row in rows:
        assert row.data.tags[COMPLETE] == "true"
        for stage, run_id in json.loads(row.data.tags[RUNS]).items():
            assert stages[run_id].info.run_name == stage
    for run_id, run in stages.items():
        n = sum(len(client.get_metric_history(run_id, name)) for name in run.data.metrics)
        assert n == records[run.data.tags[RECORD]], run
        assert run.data.tags["mlflow.parentRunId"] in {row.info.run_id for row in rows}
