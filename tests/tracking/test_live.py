"""The live run of a stage: what MLflow is told, by whom, and what remains where that goes down."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from headstart.project.errors import HeadstartError
from headstart.tracking.live import StageRun, stage_run
from headstart.tracking.records import read_run
from headstart.tracking.tell import tell
from headstart.tracking.tracker import Tracker, publish
from tests.tracked import all_runs, row, run_stage

SRC = Path(__file__).parents[2] / "src"
pytestmark = pytest.mark.usefixtures("tracked_project")


def test_a_stage_leaves_one_finished_run_and_its_record(tracked_project: Path) -> None:
    (tracked_project / "mlflow.db").unlink()
    record = run_stage()
    [run] = all_runs()
    assert run.info.run_id == record.run_id
    assert (run.info.status, run.info.run_name) == ("FINISHED", "train-head")
    assert (run.info.start_time, run.info.end_time) == (record.started_ms, record.ended_ms)
    assert run.data.params == {
        "train_head.n_epochs": "2",
        "train_head.phases.0.lr": "0.1",
        "train_head.phases.0.train": "head",
        "train_head.phases.1.lr": "1e-05",
        "train_head.phases.1.train": "all",
    }
    assert run.data.params == record.params
    assert run.data.metrics["valid.accuracy"] == 0.9
    assert run.data.metrics["valid.recall.a/b"] == 1.0
    assert "valid.rule" not in run.data.metrics
    assert run.data.tags["headstart.stage"] == "train-head"
    tracker = Tracker()
    history = tracker.client.get_metric_history(run.info.run_id, "valid_loss")
    assert [(p.step, p.value) for p in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert [f.path for f in tracker.client.list_artifacts(run.info.run_id)] == ["curve.csv"]
    assert (tracked_project / "mlflow.db").exists()
    assert [p.name for p in Path.cwd().iterdir() if p.name.startswith("ml")] == []


@pytest.mark.usefixtures("told_in_process")
def test_what_is_no_result_is_no_metric_and_a_curve_gets_no_second_point() -> None:
    with stage_run("train-head", Path("run.json"), {}) as run:
        for epoch, loss in enumerate([0.5, 0.25]):
            run.log({"epoch": epoch, "train_loss": loss}, epoch)
        run.metrics({"n_epochs": 2, "train_loss": 0.25, "overfitted": True, "lr": 0.1})
    points = [(p.key, p.value, p.step) for p in read_run(Path("run.json")).points]
    curve = [("train_loss", 0.5, 0), ("train_loss", 0.25, 1)]
    assert points == [*curve, ("overfitted", 1.0, 0), ("lr", 0.1, 0)]


@pytest.mark.usefixtures("told_in_process")
def test_a_stage_ends_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with stage_run("train-head", Path("run.json"), {}) as run:
        run.says("3 epochs → valid accuracy 0.8125", Path("a.png"))
        assert capfd.readouterr().out == ""
    assert isinstance(run, StageRun)
    seconds = (read_run(Path("run.json")).ended_ms - run.record.started_ms) / 1000
    told = f"train-head: 3 epochs → valid accuracy 0.8125 ({seconds:,.1f} s; a.png)\n"
    assert capfd.readouterr().out == told
    with pytest.raises(ValueError, match="bad"), stage_run("x", Path("run.json"), {}) as run:
        run.says("good", Path("a.png"))
        raise ValueError("bad")
    assert capfd.readouterr().out == ""


def test_live_metrics_arrive_while_the_stage_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart.tracking.live.FLUSH_EVERY_S", 0.0)
    with stage_run("train-head", Path("run.json"), {}) as run:
        run.log({"loss": 2.0}, 0)
        until = time.monotonic() + 60
        while not (live := [r for r in all_runs() if r.data.metrics]):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert (live[0].info.status, live[0].data.metrics) == ("RUNNING", {"loss": 2.0})


def start(stage: str = "train-head") -> dict[str, Any]:
    """The first message of a stage to the process that tells MLflow."""
    tags = {"headstart.stage": stage, "headstart.record": "key"}
    return {"start": {"name": stage, "params": {"lr": "0.1"}, "tags": tags, "started_ms": 1}}


def points(*values: float) -> dict[str, Any]:
    return {"points": [["loss", value, step, 2] for step, value in enumerate(values)]}


END = {"end": {"status": "FINISHED", "ended_ms": 3, "artifacts": []}}


def test_more_points_than_mlflow_takes_at_once_are_all_told() -> None:
    run_id = tell([start(), points(*map(float, range(2500))), END])
    assert len(Tracker().client.get_metric_history(run_id, "loss")) == 2500


def test_a_stage_that_is_killed_leaves_a_killed_run() -> None:
    run_id = tell([start(), points(1.0)])
    [run] = all_runs()
    assert (run.info.run_id, run.info.status) == (run_id, "KILLED")
    assert run.data.metrics == {"loss": 1.0}


def test_a_process_that_has_nothing_to_tell_opens_no_store(tracked_project: Path) -> None:
    (tracked_project / "mlflow.db").unlink()
    assert tell([]) is None
    assert not (tracked_project / "mlflow.db").exists()


STAGE = """
from headstart.tracking.start import start_stage
start_stage()
from pathlib import Path
from headstart.tracking import live, teller
[begun] = teller._begun
with live.stage_run("train-head", Path("run.json"), {}) as run:
    assert run._teller is begun and teller._begun == []
    run.log({"loss": 1.0}, 0)
"""


def test_under_dvc_a_run_is_told_by_the_process_that_began_first() -> None:
    environment = os.environ | {"PYTHONPATH": str(SRC), "DVC_STAGE": "train-head"}
    done = subprocess.run(
        [sys.executable, "-c", STAGE], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [run.info.run_id for run in all_runs()] == [read_run(Path("run.json")).run_id]


@pytest.mark.usefixtures("told_in_process")
def test_a_deadline_that_is_none_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_TRACKER_S", "soon")
    with (
        pytest.raises(HeadstartError, match=r"^HEADSTART_TRACKER_S is 'soon'"),
        stage_run("train-head", Path("run.json"), {}),
    ):
        pytest.fail("the stage works")
    assert all_runs() == []


@pytest.mark.usefixtures("told_in_process")
def test_a_diverged_loss_is_kept_as_it_is() -> None:
    with stage_run("find-lr-head", Path("run.json"), {}) as run:
        run.log({"loss": math.nan}, 0)
        run.log({"loss": math.inf}, 1)
    points = read_run(Path("run.json")).points
    assert math.isnan(points[0].value) and points[1].value == math.inf
    json.loads(Path("run.json").read_text(), parse_constant=pytest.fail)


@pytest.mark.usefixtures("told_in_process")
@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("bad"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_a_stage_that_raises_leaves_a_failed_run_and_no_record(
    error: BaseException, status: str
) -> None:
    with pytest.raises(type(error)), stage_run("train-head", Path("run.json"), {}) as run:
        run.log({"loss": 1.0}, 0)
        raise error
    [stored] = all_runs()
    assert stored.info.status == status
    assert stored.data.metrics == {"loss": 1.0}
    assert not Path("run.json").exists()


@pytest.mark.usefixtures("told_in_process")
def test_tags_name_the_commit_and_the_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    monkeypatch.setenv("DVC_EXP_NAME", "calm-otter")
    tags = run_stage().tags
    assert tags["mlflow.source.git.commit"] == head.stdout.strip()
    assert tags["headstart.experiment"] == "calm-otter"


@pytest.mark.usefixtures("told_in_process")
def test_a_tracker_that_goes_down_halfway_is_completed_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = run_stage()
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            patch.setattr(Tracker, "log_points", lambda *_: pytest.fail("asked again"))
            raise OSError("gone")

        patch.setattr(Tracker, "log_points", fail)
        patch.setattr(Tracker, "end", lambda *_: pytest.fail("asked again"))
        assert tell([start("train-augmented"), points(1.0), points(0.5), END]) is None
    assert capsys.readouterr().err.count("headstart sync") == 1
    halfway = record.model_copy(update={"stage": "train-augmented", "key": "key", "run_id": None})
    publish(row(), [halfway])
    [stage] = [r for r in all_runs() if r.data.tags.get("headstart.stage") == "train-augmented"]
    assert stage.info.status == "FINISHED"
    history = Tracker().client.get_metric_history(stage.info.run_id, "valid_loss")
    assert [p.value for p in history] == [1.0, 0.5, 1 / 3]


def test_a_teller_that_was_killed_costs_one_sentence_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with stage_run("train-head", Path("run.json"), {}) as run:
        assert isinstance(run, StageRun)
        run._teller._process.kill()
        run._teller._process.wait()
        for step in range(3):
            run.log({"loss": 1.0}, step)
    record = read_run(Path("run.json"))
    assert record.run_id is None and len(record.points) == 3
    assert capsys.readouterr().err.count("headstart sync") == 1


@pytest.mark.parametrize(
    ("code", "imported"),
    [
        ("import headstart.tracking.live, headstart.tracking.tell, headstart.commands.cli", False),
        ("from headstart.tracking.store import import_mlflow; import_mlflow()", True),
    ],
)
def test_mlflow_is_imported_by_who_tells_it_alone(code: str, imported: bool) -> None:
    module = "mlflow.store.tracking.sqlalchemy_store"
    code += f"; import sys; assert ('{module}' in sys.modules) is {imported}"
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.usefixtures("told_in_process")
def test_no_bar_is_drawn_where_stderr_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    run_stage()
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("told_in_process")
def test_a_stage_says_where_it_goes_on_and_tidies_up_last_of_all(
    capfd: pytest.CaptureFixture[str],
) -> None:
    tidied: list[bool] = []
    with stage_run("train-head", Path("run.json"), {}) as run:
        run.at_end(lambda: tidied.append(Path("run.json").exists()))
        run.goes_on("at epoch 5 of 7")
        run.says("1 epoch", Path("epochs.csv"))
    said = capfd.readouterr().out.splitlines()
    assert said[0] == "train-head goes on at epoch 5 of 7." and len(said) == 2
    assert tidied == [True], "the record of the run was written before"
    with (
        pytest.raises(ValueError, match="bad"),
        stage_run("train-head", Path("run.json"), {}) as run,
    ):
        run.at_end(lambda: tidied.append(False))
        raise ValueError("bad")
    assert tidied == [True], "a stage that fails keeps what it goes on with"
