"""MLflow's store: folders of any name, a project that moves, and files that are no database."""

import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from headstart.tracking.tracker import Tracker
from tests.tracked import all_runs, run_stage

NAMES = [
    *(
        "a b",
        "a?b",
        "x?uri=true",
        "a#b",
        "a%41b",
        "100%",
        "a%3Fb",
        "a%2e%2e%2fb",
        "é",
        "😀",
        "e\u0301",
    ),
    *(
        "a+b",
        "a&b",
        "a;b",
        "a=b",
        "a:b",
        "a@b",
        "a'b",
        'a"b',
        "a\nb",
        "a\tb",
        "a\\b",
        "..x",
        "~",
        "*",
    ),
]


@pytest.fixture
def stage_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a stage runs; it has the file `curve.csv`."""
    folder = tmp_path / "copy"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("curve.csv").write_text("lr,loss\n")
    return folder


def new_project(folder: Path, empty_store: Path, patch: pytest.MonkeyPatch) -> Path:
    """A project with an empty store, the one that is tracked from now on."""
    folder.mkdir(parents=True)
    shutil.copy(empty_store, folder)
    patch.setenv("DVC_ROOT", str(folder))
    return folder


def log_run() -> str:
    """A run with one metric and one artifact, in the store of the project."""
    tracker = Tracker()
    run_id = tracker.start("train-head", {}, {}, 1)
    tracker.client.log_metric(run_id, "loss", 0.5)
    tracker.end(run_id, "FINISHED", 2, ["curve.csv"])
    return run_id


def has_curve(run_id: str) -> bool:
    """Whether MLflow finds the artifact of the run, with its content."""
    client: Any = Tracker().client
    if [file.path for file in client.list_artifacts(run_id)] != ["curve.csv"]:
        return False
    return Path(client.download_artifacts(run_id, "curve.csv")).read_text() == "lr,loss\n"


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def files_in(folder: Path) -> list[str]:
    """All files below, but the lock."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in paths if path.suffix != ".lock")


@pytest.mark.usefixtures("stage_folder")
def test_a_project_may_have_any_name_and_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path
) -> None:
    place = tmp_path / "places"
    first, *others = NAMES
    root = new_project(place / first, empty_store, monkeypatch)
    run_ids = [log_run()]
    for name in others:
        root = root.rename(place / name)
        monkeypatch.setenv("DVC_ROOT", str(root))
        run_ids.append(log_run())
        assert all(has_curve(run_id) for run_id in (run_ids[0], run_ids[-1])), name
    assert {run.info.run_id for run in all_runs()} == set(run_ids)
    assert all(has_curve(run_id) for run_id in run_ids)
    files = [f"mlartifacts/{run_id}/artifacts/curve.csv" for run_id in run_ids]
    assert files_in(root) == sorted([*files, "mlflow.db"])
    assert names_in(place) == [NAMES[-1]]


def test_a_fresh_store_in_a_folder_of_an_odd_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "places/a?b%41\n'#é"
    root.mkdir(parents=True)
    (root / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(root)
    record = run_stage()
    assert capfd.readouterr().err == ""
    assert record.run_id is not None and has_curve(record.run_id)
    # The address that `mlflow ui` takes in that folder.
    assert MlflowClient("sqlite:///mlflow.db").get_run(record.run_id).info.status == "FINISHED"
    assert names_in(tmp_path / "places") == [root.name]
    assert names_in(tmp_path) == ["places"]


@pytest.mark.usefixtures("told_in_process")
def test_a_folder_that_mlflow_cannot_name_is_told_in_a_sentence(
    tmp_path: Path,
    stage_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    root = tmp_path / "places" / os.fsdecode(b"a\xffb")
    root.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(root))
    started = time.monotonic()
    assert run_stage().run_id is None
    assert time.monotonic() - started < 30
    err = capfd.readouterr().err
    assert "is not UTF-8" in err and "MLFLOW_TRACKING_URI" in err and err.count("\n") == 1
    assert names_in(tmp_path / "places") == [root.name]
    assert not list(root.iterdir())


@pytest.mark.usefixtures("stage_folder")
def test_a_copy_of_a_project_writes_into_the_copy_and_finds_what_only_the_first_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path
) -> None:
    first = new_project(tmp_path / "first", empty_store, monkeypatch)
    old = log_run()
    before = files_in(first)
    second = new_project(tmp_path / "second", first / "mlflow.db", monkeypatch)
    new = log_run()
    assert has_curve(old) and has_curve(new)
    assert files_in(second) == [f"mlartifacts/{new}/artifacts/curve.csv", "mlflow.db"]
    assert files_in(first) == before

    third = tmp_path / "third"
    shutil.copytree(second, third)
    shutil.rmtree(second)
    monkeypatch.setenv("DVC_ROOT", str(third))
    assert has_curve(old) and has_curve(new)


@pytest.mark.usefixtures("stage_folder")
def test_a_project_that_is_reached_by_a_link_has_not_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path
) -> None:
    root = new_project(tmp_path / "real", empty_store, monkeypatch)
    first = log_run()
    place = Tracker().client.get_run(first).info.artifact_uri
    (tmp_path / "link").symlink_to(root)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "link"))
    second = log_run()
    assert Tracker().client.get_run(first).info.artifact_uri == place
    assert has_curve(first) and has_curve(second)


@pytest.mark.usefixtures("stage_folder")
@pytest.mark.parametrize("named", [True, False])
def test_a_place_that_the_user_chose_stays(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path
) -> None:
    """Of a store that MLFLOW_TRACKING_URI names, any; of our own, one of another name."""
    chosen = tmp_path / ("mlartifacts" if named else "big disk")
    root = new_project(tmp_path / "project", empty_store, monkeypatch)
    with sqlite3.connect(root / "mlflow.db") as database:
        database.execute("UPDATE experiments SET artifact_location = ?", (chosen.as_uri(),))
    database.close()
    if named:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
    run_id = log_run()
    assert has_curve(run_id)
    assert files_in(chosen) == [f"{run_id}/artifacts/curve.csv"]


@pytest.mark.parametrize("user_names_it", [True, False])
def test_a_database_that_cannot_be_opened_is_not_asked_for_minutes(
    user_names_it: bool,
    tmp_path: Path,
    stage_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    broken = tmp_path / "project/mlflow.db"
    broken.mkdir(parents=True)
    if user_names_it:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{broken}")
    monkeypatch.setenv("DVC_ROOT", str(broken.parent))
    started = time.monotonic()
    assert run_stage().run_id is None
    assert time.monotonic() - started < 30
    err = capfd.readouterr().err
    assert str(broken) in err and "unable to open database file" in err
    assert err.count("\n") == 1
