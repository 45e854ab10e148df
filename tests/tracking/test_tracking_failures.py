"""MLflow fails at any call, or takes no files: the next `publish-run` or `sync` completes the rest.

And nothing is ever there twice.
"""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from headstart.tracking.records import Point, RunRecord
from headstart.tracking.store import open_store, tracking_uri
from headstart.tracking.tell import tell
from headstart.tracking.tracker import Tracker, publish
from tests.tracked import all_runs, results_of, row, run_stage, stages_of

pytestmark = pytest.mark.usefixtures("tracked_project")


class Failing:
    """MLflow's client, of which one call fails: before it has done anything, or after it did it."""

    def __init__(self, client: Any, n: int, late: bool) -> None:
        self._client, self._n, self._late = client, n, late
        self.failed = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._n -= 1
            if fails := self._n == -1:
                self.failed = True
                if not self._late:
                    raise ConnectionError("gone")
            result = getattr(self._client, name)(*arguments, **options)
            if fails:
                raise ConnectionError("gone")
            return result

        return call


def fail_at(n: int, late: bool, patch: pytest.MonkeyPatch) -> list[Failing]:
    """Let the `n`-th call (from 0) of the next trackers fail; return their clients."""
    clients: list[Failing] = []
    plain = Tracker.__init__

    def init(self: Tracker, *arguments: Any) -> None:
        plain(self, *arguments)
        self.client = Failing(self.client, n, late)
        clients.append(self.client)

    patch.setattr(Tracker, "__init__", init)
    return clients


def new_record(key: str) -> RunRecord:
    Path("curve.csv").write_text("lr,loss\n")
    Path("grid.csv").write_text("a,b\n")
    return RunRecord(
        key=key,
        stage="train-head",
        started_ms=5,
        ended_ms=9,
        params={"lr": "0.1"},
        tags={"headstart.stage": "train-head", "headstart.record": key},
        points=[Point("loss", 1.0, 0, 6), Point("loss", 0.5, 1, 7)],
        artifacts=["curve.csv", "grid.csv"],
    )


def messages(record: RunRecord) -> list[dict[str, Any]]:
    """What the stage of `record` tells."""
    names = ("params", "tags", "started_ms")
    start = {"name": record.stage, **{name: getattr(record, name) for name in names}}
    points = [{"points": [list(point)]} for point in record.points]
    end = {"status": "FINISHED", "ended_ms": record.ended_ms, "artifacts": record.artifacts}
    return [{"start": start}, *points, {"end": end}]


def check_complete(record: RunRecord, state: str, metrics: dict[str, float]) -> None:
    """One run of the stage and one row of the state are there, whole and once."""
    client, runs = Tracker().client, all_runs()
    [stage] = [run for run in runs if run.data.tags.get("headstart.record") == record.key]
    [line] = [run for run in runs if run.data.tags.get("headstart.state") == state]
    assert line.data.tags["headstart.complete"] == "true"
    assert stages_of(line)["train-head"] == stage.info.run_id
    assert stage.data.tags["mlflow.parentRunId"] == line.info.run_id
    assert (stage.data.params, results_of(line)) == (record.params, metrics)
    for run, files in ((stage, ["curve.csv", "grid.csv"]), (line, ["grid.csv"])):
        assert run.info.status == "FINISHED"
        assert "headstart.missing" not in run.data.tags
        assert [f.path for f in client.list_artifacts(run.info.run_id)] == files
    losses = client.get_metric_history(stage.info.run_id, "loss")
    assert [(p.value, p.step, p.timestamp) for p in losses] == [(1.0, 0, 6), (0.5, 1, 7)]
    assert all(len(client.get_metric_history(line.info.run_id, name)) == 1 for name in metrics)


@pytest.fixture
def _opened_once(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All trackers of a test share what `open_store` returns: opening takes most of their time."""
    opened = open_store()
    monkeypatch.setattr("headstart.tracking.runs.open_store", lambda: opened)


@pytest.mark.usefixtures("_opened_once")
@pytest.mark.parametrize("late", [False, True])
def test_a_call_of_a_stage_that_fails_is_made_up_for(
    late: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in itertools.count():
        record, line = new_record(f"{n}"), row(a=float(n))
        with monkeypatch.context() as patch:
            clients = fail_at(n, late, patch)
            tell(messages(record))
        if not clients[0].failed:
            break
        assert capsys.readouterr().err.count("headstart sync") == 1
        if n % 2:
            publish(line, [record], [Path("grid.csv")])
        else:
            assert Tracker().ensure_row(line, [record], ["grid.csv"])[1]
        check_complete(record, line.state, line.metrics)
        assert capsys.readouterr().err == ""
    assert n >= 9  # create, params, points, points, tag, end, two files, tag


@pytest.mark.usefixtures("_opened_once")
@pytest.mark.parametrize("late", [False, True])
def test_a_call_of_a_row_that_fails_is_made_up_for(
    late: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in itertools.count():
        record, line = new_record(f"{n}"), row(a=float(n), b=2.0)
        with monkeypatch.context() as patch:
            clients = fail_at(n, late, patch)
            row_id = publish(line, [record], [Path("grid.csv")])
        if not clients[0].failed:
            break
        assert capsys.readouterr().err.count("headstart sync") == 1
        complete = Tracker().find({"headstart.state": line.state, "headstart.complete": "true"})
        # To a complete row publish-run adds a fresh one.
        if n % 2 and complete is None:
            assert row_id is None
            publish(line, [record], [Path("grid.csv")])
        else:
            Tracker().ensure_row(line, [record], ["grid.csv"])
        check_complete(record, line.state, line.metrics)
        assert capsys.readouterr().err == ""
    assert n > 20


@pytest.mark.usefixtures("told_in_process")
@pytest.mark.parametrize("place", ["blocked/art", "mlflow-artifacts:/art"])
def test_a_store_that_takes_no_files_has_all_numbers_and_gets_the_files_later(
    place: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = Path("blocked").absolute()
    blocked.write_text("a file, where a folder should be\n")
    uri = (Path.cwd() / place).as_uri() if place.startswith("blocked") else place
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "elsewhere")
    MlflowClient(tracking_uri()).create_experiment("elsewhere", artifact_location=uri)
    record = run_stage()
    err = capfd.readouterr().err
    assert err.count("headstart sync") == err.count("\n") == 1
    assert "curve.csv" in err and "MLFLOW_EXPERIMENT_NAME" in err
    line = row(a=1.0)
    row_id = publish(line, [record], [Path("curve.csv")])
    assert capfd.readouterr().err.count("\n") == 1
    stage, stored = (Tracker().client.get_run(run_id) for run_id in (record.run_id, row_id))
    for run in (stage, stored):
        assert run.info.status == "FINISHED"
        assert run.data.tags["headstart.missing"] == "curve.csv"
    assert stored.data.tags["headstart.complete"] == "true"
    assert stage.data.metrics["valid.accuracy"] == 0.9 and results_of(stored) == {"a": 1.0}

    if place.startswith("blocked"):
        blocked.unlink()
        assert Tracker().ensure_row(line, [record], ["curve.csv"]) == (row_id, False)
        assert len(all_runs()) == 2
        assert not any("headstart.missing" in run.data.tags for run in all_runs())
        for run in all_runs():
            [file] = Tracker().client.list_artifacts(run.info.run_id)
            assert file.path == "curve.csv"


def test_a_file_that_mlflow_refuses_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record, tracker = new_record("k"), Tracker()
    store = tracker.client.log_artifact

    def refuse_curve(run_id: str, path: str) -> None:
        if "curve" in path:
            raise OSError("413: too large")
        store(run_id, path)

    monkeypatch.setattr(tracker.client, "log_artifact", refuse_curve)
    run_id = tracker.ensure(record)
    tracker.say_missing()
    err = capsys.readouterr().err
    assert "did not store curve.csv (413: too large)" in err and "grid.csv" not in err
    run = tracker.client.get_run(run_id)
    assert (run.info.status, run.data.tags["headstart.missing"]) == ("FINISHED", "curve.csv")
    assert [f.path for f in tracker.client.list_artifacts(run_id)] == ["grid.csv"]


def test_a_view_that_mlflow_refuses_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker = Tracker()

    def refuse(*_: object) -> None:
        raise OSError("not allowed")

    monkeypatch.setattr(tracker.client, "set_experiment_tag", refuse)
    row_id = tracker.add_row(row(a=1.0), [])
    tracker.say_missing()
    assert "did not store the view scores (not allowed)" in capsys.readouterr().err
    assert tracker.client.get_run(row_id).data.tags["headstart.complete"] == "true"
