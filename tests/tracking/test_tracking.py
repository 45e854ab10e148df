"""The tracker: the user's own store, complete rows, and a tracker that is down."""

import json
import shutil
import time
from pathlib import Path

import pytest

from headstart.tracking.state import numbers
from headstart.tracking.tracker import Tracker, publish
from tests.tracked import all_runs, row, run_stage

pytestmark = pytest.mark.usefixtures("tracked_project", "told_in_process")


def test_the_users_own_tracking_uri_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path
) -> None:
    shutil.copy(empty_store, tmp_path / "mine.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mine.db'}")
    run_id = run_stage().run_id
    assert [run.info.run_id for run in all_runs()] == [run_id]
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert all_runs() == []


def test_a_row_is_complete_and_the_first_row_adopts_the_stage_runs() -> None:
    record = run_stage()
    first, second = publish(row(a=1.0), [record]), publish(row(a=2.0), [record])
    tracker = Tracker()
    stage = tracker.client.get_run(record.run_id)
    assert stage.data.tags["mlflow.parentRunId"] == first
    stored = tracker.client.get_run(second)
    assert stored.data.params == {"train_head.lr": "0.1", "phases.0.lr": "1"}
    assert stored.data.metrics == {"a": 2.0}
    assert stored.data.tags["headstart.run.train-head"] == record.run_id
    assert stored.info.status == "FINISHED"
    assert tracker.ensure_row(row(a=1.0), [record]) == (first, False)
    assert tracker.ensure_row(row(a=3.0), [record])[1]


def test_a_row_keeps_a_view_of_the_scores() -> None:
    scores = {"accuracy": 0.9, "accuracy_ci_low": 0.8}
    valid = numbers({"tta_evaluate": {"valid": {"tta": scores}}, "train_head": scores})
    row_id = publish(row(**valid), [run_stage()])
    tracker = Tracker()
    tags = tracker.client.get_experiment(tracker.experiment_id).tags
    view = json.loads(tags["mlflow.sharedViewState.scores"])
    assert view["selectedColumns"] == ["metrics.`tta_evaluate.valid.tta.accuracy`"]
    shown = tracker.client.search_runs([tracker.experiment_id], view["searchFilter"])
    assert [run.info.run_id for run in shown] == [row_id]


def test_the_row_is_named_after_the_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "calm-otter")
    publish(row(), [])
    assert all_runs()[0].info.run_name == "calm-otter"


def test_a_row_that_broke_halfway_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "log_points", fail)
        assert publish(row(a=1.0), []) is None
    assert Tracker().find({"headstart.complete": "true"}) is None


@pytest.mark.parametrize("broken", ["http://127.0.0.1:9", "sqlite:////proc/no/such/folder/x.db"])
def test_a_tracker_that_is_down_costs_one_sentence_and_nothing_else(
    broken: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", broken)
    started = time.monotonic()
    record = run_stage()
    assert time.monotonic() - started < 30
    err = capfd.readouterr().err
    assert err.count("headstart sync") == 1 and broken in err and "Traceback" not in err
    assert record.run_id is None and len(record.points) == 8

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    publish(row(), [record])
    publish(row(), [record])
    stages = [run for run in all_runs() if "headstart.stage" in run.data.tags]
    assert len(stages) == 1
    assert stages[0].info.start_time == record.started_ms
    assert len(Tracker().client.get_metric_history(stages[0].info.run_id, "valid_loss")) == 3
