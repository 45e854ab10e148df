"""`headstart sync` keeps the model of a state that no stage has computed here."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from headstart.commands.cli import main
from headstart.tracking.process import TAG, about
from headstart.tracking.tracker import Tracker
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
