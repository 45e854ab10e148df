"""A sweep in MLflow: once, whole, and no error where MLflow is down."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from headstart.tracking.runs import Runs
from headstart.tracking.sweeps import LoggedRun, log_sweep
from tests.tracked import all_runs

pytestmark = pytest.mark.usefixtures("tracked_project")


def trials(n: int) -> list[LoggedRun]:
    return [
        LoggedRun(
            f"trial {i}", {"train_head.lr": 0.1 * i}, {"valid log loss": 1.0 / (i + 1)}, i != 1
        )
        for i in range(n)
    ]


def whole(n: int) -> LoggedRun:
    return LoggedRun(f"sweep, {n} trials", {"train_head.lr": 0.1 * n}, {"valid log loss": 0.1})


def log(n: int, artifacts: Sequence[str] = ()) -> str | None:
    return log_sweep("d1", whole(n), trials(n), artifacts)


def below(run_id: str | None) -> dict[str, Any]:
    runs = [r for r in all_runs() if r.data.tags.get("mlflow.parentRunId") == run_id]
    return {run.info.run_name: run for run in runs}


def test_each_trial_is_a_run_below_that_of_the_sweep() -> None:
    Path("sweep.csv").write_text("trial\n0\n")
    run_id = log(3, ["sweep.csv"])
    found = below(run_id)
    assert set(found) == {"trial 0", "trial 1", "trial 2"} and len(all_runs()) == 4
    assert [found[f"trial {i}"].info.status for i in range(3)] == ["FINISHED", "KILLED", "FINISHED"]
    assert found["trial 2"].data.params == {"train_head.lr": "0.2"}
    assert found["trial 1"].data.metrics == {"valid log loss": 0.5}
    runs = Runs()
    sweep = runs.client.get_run(run_id)
    assert sweep.info.run_name == "sweep, 3 trials" and sweep.info.status == "FINISHED"
    assert sweep.data.metrics == {"valid log loss": 0.1}
    assert [file.path for file in runs.client.list_artifacts(run_id)] == ["sweep.csv"]


def test_the_same_again_logs_nothing_and_more_trials_go_on() -> None:
    first = log(2)
    assert log(2) == first and len(all_runs()) == 3
    old = {name: run.info.run_id for name, run in below(first).items()}
    second = log(4)
    assert second != first and below(first) == {} and len(all_runs()) == 5
    new = {name: run.info.run_id for name, run in below(second).items()}
    assert {name: new[name] for name in old} == old and len(new) == 4


def test_what_was_interrupted_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr("headstart.tracking.sweeps._log_values", interrupted)
        assert log(2) is None
    run_id = log(2)
    assert {run.info.status for run in below(run_id).values()} == {"FINISHED", "KILLED"}
    assert len(all_runs()) == 3


def test_a_tracker_that_is_down_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert log(2) is None
    told = capsys.readouterr().err
    assert told.startswith("Logging to MLflow at http://127.0.0.1:9 failed (")
    assert "The sweep is kept; the same command logs it" in told
