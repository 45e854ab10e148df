"""The tracker: the user's own store, complete rows, and a tracker that is down."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from headstart.tracking.state import Row, numbers
from headstart.tracking.tracker import Tracker, publish
from tests.tracked import all_runs, results_of, row, run_stage, stages_of

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
    assert results_of(stored) == {"a": 2.0}
    assert stages_of(stored)["train-head"] == record.run_id
    assert stored.info.status == "FINISHED"
    assert tracker.ensure_row(row(a=1.0), [record]) == (first, False)
    assert tracker.ensure_row(row(a=3.0), [record])[1]


def test_a_row_has_what_a_person_reads_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    record, scores = run_stage(), {"accuracy": 0.91239, "accuracy_ci_low": 0.8}
    values = numbers({"tta_evaluate": {"valid": {"plain": scores, "tta": scores}}})
    params = {"dataset.source": "/somewhere/my pictures", "train_head.lr": 0.1}
    counts = {"index_images.n_pictures": 7, "index_images.splits.train.per_class.x": 7}
    row_id = publish(Row("s", params, values, counts, "0123abcd"), [record], [Path("curve.csv")])
    stored = Tracker().client.get_run(row_id)
    assert stored.data.metrics["valid accuracy"] == 0.9124
    assert results_of(stored) == values
    assert stored.info.end_time - stored.info.start_time == record.ended_ms - record.started_ms
    curve = Tracker().client.get_metric_history(row_id, "epochs/valid loss")
    assert [(p.step, p.value) for p in curve] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    tags = stored.data.tags
    assert (tags["mlflow.user"], tags["mlflow.source.name"]) == ("ada", "dvc.yaml")
    assert "**Valid accuracy 0.9124" in tags["mlflow.note.content"]
    assert "- **Again**: " in tags["mlflow.note.content"]
    [pictures] = stored.inputs.dataset_inputs
    assert (pictures.dataset.name, pictures.dataset.digest) == ("my pictures", "0123abcd")
    assert json.loads(pictures.dataset.source) == {"uri": "/somewhere/my pictures"}
    assert json.loads(pictures.dataset.profile) == {"n_pictures": 7}


def test_a_row_keeps_a_view_of_the_scores() -> None:
    scores = {"accuracy": 0.9, "accuracy_ci_low": 0.8}
    valid = numbers({"tta_evaluate": {"valid": {"tta": scores}}, "train_head": scores})
    row_id = publish(row(**valid), [])
    tracker = Tracker()
    tags = tracker.client.get_experiment(tracker.experiment_id).tags
    view = json.loads(json.loads(tags["mlflow.sharedViewState.scores"])["state"])
    assert view["selectedColumns"] == ["metrics.`valid TTA`"]
    shown = tracker.client.search_runs([tracker.experiment_id], view["searchFilter"])
    assert [run.info.run_id for run in shown] == [row_id]
    assert "viewStateShareKey=scores" in tags["mlflow.note.content"]
    assert tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_description_that_the_user_gave_the_experiment_stays() -> None:
    tracker = Tracker()
    tracker.client.set_experiment_tag(tracker.experiment_id, "mlflow.note.content", "mine")
    publish(row(), [])
    tags = tracker.client.get_experiment(tracker.experiment_id).tags
    assert tags["mlflow.note.content"] == "mine"


def test_a_row_is_named_after_what_differs_from_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params: list[dict[str, Any]] = [
        {"train_head.lr": 0.1, "a": 1},
        {"train_head.lr": 0.1, "a": 2},
        {"a": 2},
    ]
    record = run_stage()
    for n, of_row in enumerate(params):
        publish(Row(f"s{n}", of_row, {}), [record] if n == 0 else [])
    monkeypatch.setenv("DVC_EXP_NAME", "calm-otter")
    publish(Row("s3", params[2], {}), [record])
    tracker = Tracker()
    rows = tracker.client.search_runs(
        [tracker.experiment_id], "tags.`headstart.complete` = 'true'", order_by=["start_time DESC"]
    )
    assert [run.info.run_name for run in rows][:3] == ["calm-otter", "no train_head.lr", "a=2"]


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
