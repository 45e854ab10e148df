"""`headstart sync` tells all of a state that no stage has computed here, or says what is left."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from headstart.commands.cli import main
from headstart.tracking.process import TAG, about
from headstart.tracking.tracker import Tracker
from tests.bad_server import bad_server
from tests.repository import run
from tests.saved_networks import save_networks

STAGES = """\
stages:
  publish-run:
    cmd: publish --metrics metrics --run data/7_runs --model net.safetensors --state state.json
    deps: [metrics, net.safetensors]
    params: [{params.yaml: }]
    outs: [{state.json: {cache: false}}]
  train:
    cmd: train
    outs: [net.safetensors]
    metrics: [metrics/train_head.json: {cache: false}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Path:
    """A project with the results of a state, and a store without its row."""
    root = tmp_path / "project"
    (root / "metrics").mkdir(parents=True)
    save_networks(tmp_path)
    shutil.copy(tmp_path / "net.safetensors", root)
    shutil.copy(empty_store, root)
    (root / "dvc.yaml").write_text(STAGES)
    (root / "params.yaml").write_text("train_head: {lr: 0.1}\n")
    (root / "metrics/train_head.json").write_text(json.dumps({"loss": 0.5}))
    (root / "state.json").write_text("{}")
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "init", "--quiet")
    run(root, "dvc", "commit", "--force", "--quiet")
    run(root, "git", "add", ".dvc", "dvc.yaml", "dvc.lock", "params.yaml", "metrics", "state.json")
    run(root, "git", "commit", "--quiet", "--message", "trained")
    monkeypatch.chdir(root)
    return root


def synced(*rev: str) -> tuple[str, int, int]:
    """What the command says, the number of logged models, and that of versions."""
    said = CliRunner().invoke(main, ["sync", *rev])
    assert said.exit_code == 0 and said.stderr == "", said.output
    tracker = Tracker()
    models = tracker.client.search_logged_models([tracker.experiment_id])
    return said.stdout, len(models), len(tracker.client.search_model_versions())


def test_the_model_comes_once_and_only_the_workspaces_is_registered(project: Path) -> None:
    gone = json.dumps(about(os.getpid()) | {"started": "1"})
    killed = Tracker().start("train-head", {}, {TAG: gone}, 5)
    said, *numbers = synced("HEAD")
    assert "Added the row" in said and numbers == [1, 0]
    said, *numbers = synced()
    assert "MLflow has the row already" in said and numbers == [1, 1]
    assert synced()[1:] == (1, 1)
    runs = Tracker().client.search_runs([Tracker().experiment_id])
    [run_] = [run for run in runs if run.info.run_id != killed]
    assert len(run_.outputs.model_outputs) == 1
    assert Tracker().client.get_run(killed).info.status == "KILLED"


def test_what_mlflow_has_is_not_missed_where_dvc_lacks_it(project: Path) -> None:
    assert synced()[1:] == (1, 1)
    (project / "net.safetensors").unlink()
    shutil.rmtree(project / ".dvc/cache")
    assert synced()[1:] == (1, 1)


def test_a_server_that_sends_a_byte_at_a_time_ends_it_and_the_next_one_goes_on(
    project: Path, figures: Callable[[str], None]
) -> None:
    deadline_s = 1.0
    folders = project / "temporary"
    folders.mkdir()
    with bad_server("drip") as uri:
        settings = {
            "MLFLOW_TRACKING_URI": uri, "HEADSTART_TRACKER_S": str(deadline_s),
            "TMPDIR": str(folders), "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        }  # fmt: skip
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", "from headstart.commands.cli import main; main()", "sync"],
            env=os.environ | settings, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        waited_s = time.monotonic() - began
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"Error: MLflow at {uri.replace('ada:pa55word', '***')} has not taken the connection in 1 s. "
        "Still to tell: the row, the model, the end of runs that were killed. "
    ), done.stderr
    assert done.stderr.count("\n") == 1
    assert "`headstart sync` again" in done.stderr and "HEADSTART_TRACKER_S=10 " in done.stderr
    assert list(folders.iterdir()) == []
    assert synced()[1:] == (1, 1)
    figures(f"1 `headstart sync`, ended after {waited_s:.1f} s with a deadline of {deadline_s:g} s")
