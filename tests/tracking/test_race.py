"""Projects and workers that open one fresh local store at once."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from headstart.tracking.sqlite_file import is_ready
from headstart.tracking.store import import_mlflow

SRC = Path(__file__).parents[2] / "src"
RACER = """
import sys
from headstart.tracking.store import import_mlflow
from headstart.tracking.tracker import Tracker
import_mlflow()
print("ready", flush=True)
sys.stdin.readline()
tracker = Tracker()
run_id = tracker.start("train-head", {"lr": 0.1}, {}, 1)
tracker.client.log_metric(run_id, "loss", 0.5)
tracker.end(run_id, "FINISHED", 2)
print(run_id)
"""


def race(place: Path, n: int) -> int:
    """Let `n` processes, each with another name for one store, make it at once; return `n`."""
    project, other = place / "a project", place / "another"
    for folder in (project, other):
        folder.mkdir(parents=True)
    (place / "link").symlink_to(project)
    database = project / "mlflow.db"
    address = "MLFLOW_TRACKING_URI"
    names: list[dict[str, str]] = [
        {"DVC_ROOT": str(project)},  # its own
        {"DVC_ROOT": str(other), address: f"sqlite:///{place}/link/mlflow.db"},
        {"DVC_ROOT": str(other), address: "sqlite:///../a project/mlflow.db"},
        {"DVC_ROOT": str(other), address: f"sqlite:///{database}"},
    ]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER], cwd=other, text=True,
            env=os.environ | {"PYTHONPATH": str(SRC)} | name,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for name in names[:n]
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    said = [worker.communicate() for worker in workers]
    assert [err for _, err in said] == [""] * n
    assert is_ready(database)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        runs = connection.execute("SELECT run_uuid, status, experiment_id FROM runs").fetchall()
        n_experiments = connection.execute("SELECT count(*) FROM experiments").fetchone()
    assert {run_id for run_id, _, _ in runs} == {out.strip() for out, _ in said}
    assert {tuple(rest) for _, *rest in runs} == {("FINISHED", 1)}
    assert n_experiments == (2,)  # MLflow's own, and ours
    return n


@pytest.fixture(autouse=True)
def _with_mlflow() -> None:
    import_mlflow()


def test_projects_that_open_one_fresh_store_at_once_lose_no_run(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    figures(f"1 race of {race(tmp_path, 3)} processes, no run lost")


@pytest.mark.long
def test_no_race_for_a_fresh_store_breaks_it(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    n_races = 15
    n = sum(race(tmp_path / str(i), 4) for i in range(n_races))
    figures(f"{n_races} races for a fresh store, {n} processes, {n} runs, each database sound")
