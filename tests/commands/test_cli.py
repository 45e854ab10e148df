"""`headstart`: checking params, and rows for results that no stage computed here."""

import ast
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dvc.repo import Repo
from dvc.stage.serialize import to_single_stage_lockfile
from ruamel.yaml import YAML

from headstart.checks.sections import SECTIONS
from headstart.commands.cli import main
from headstart.tracking.data_set import digest
from headstart.tracking.records import Point, RunRecord, read_run, write_run
from headstart.tracking.state import state_of
from headstart.tracking.tracker import Tracker
from tests.tracked import results_of, stages_of


def headstart(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_help_names_every_command() -> None:
    text = headstart("--help").output
    assert all(name in text for name in main.commands)
    assert "dvc repro" in text


def test_the_table_of_sections_is_what_the_scripts_load(repo_root: Path) -> None:
    loaded: dict[str, str] = {}
    for script in sorted((repo_root / "stages").glob("*.py")):
        tree = ast.parse(script.read_text())
        places = {
            alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "load_section":
                name, model = map(ast.unparse, node.args)
                loaded[ast.literal_eval(name)] = places[model]
    assert loaded == SECTIONS


def test_params_are_right(repo_root: Path) -> None:
    result = headstart("check", str(repo_root / "params.yaml"))
    assert result.exit_code == 0, result.output


def test_all_problems_of_all_sections_come_in_one_message(repo_root: Path, tmp_path: Path) -> None:
    yaml = YAML()
    params = yaml.load(repo_root / "params.yaml")
    params["backbone"]["size_px"] = -1
    params["resize"]["size"] = 3
    params["head"] = "big"
    del params["runtime"]
    params["train_heat"] = {}
    path = tmp_path / "mine.yaml"
    yaml.dump(params, path)
    result = headstart("check", str(path))
    assert result.exit_code == 1
    for sentence in (
        f"{path}: backbone.size_px is -1",
        f"{path}: resize.size is not a key here (known: size_px, codec, quality)",
        f"{path}: head is 'big'",
        f"{path} has no section runtime (",
        f"{path}: train_heat is not a section",
    ):
        assert sentence in result.output


@pytest.mark.parametrize(
    ("text", "sentence"), [(None, "does not exist"), ("a: [", "not valid YAML"), ("3", "must hold")]
)
def test_a_file_that_holds_no_params(tmp_path: Path, text: str | None, sentence: str) -> None:
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text)
    result = headstart("check", str(path))
    assert result.exit_code == 1 and sentence in result.output


METRICS = {"valid": {"accuracy": 0.75}, "rule": "steepest"}
PARAMS: dict[str, Any] = {"train_head": {"lr": 1e-05, "phases": [{"n": 1}]}, "resize": {}}


STAGES = """
stages:
  train-head:
    cmd: "true"
    outs: [data/7_runs/train_head.json]
    plots: [metrics/train_head.json: {cache: false}]
  publish-run:
    cmd: publish_run.py --metrics metrics --run data/7_runs
    deps: [metrics, data/7_runs]
    params: [params.yaml: ]
"""


def lock(root: Path, *names: str) -> None:
    """Write into dvc.lock what the stages of these names, or all, would have read and written now."""
    path = root / "dvc.lock"
    stages = YAML().load(path)["stages"] if path.exists() else {}
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            if not names or stage.name in names:
                stage.save_deps()
                stage.save_outs()
                stages[stage.name] = to_single_stage_lockfile(stage)
    YAML().dump({"schema": "2.0", "stages": stages}, path)


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], check=True)


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path, repo_root: Path
) -> Path:
    """A committed project whose publish-run ran on another machine."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (root / ".gitignore").write_text("/data\nmlflow.db*\n")
    (root / "dvc.yaml").write_text(STAGES)
    YAML().dump(PARAMS, root / "params.yaml")
    shutil.copy(empty_store, root)
    metrics, run = root / "metrics/train_head.json", Path("data/7_runs/train_head.json")
    metrics.parent.mkdir()
    metrics.write_text(json.dumps(METRICS))
    point = Point("train_loss", 0.5, 3, 10)
    record = RunRecord(
        key="k",
        stage="train-head",
        run_id="of-another-store",
        started_ms=5,
        ended_ms=20,
        params={"train_head.lr": "1e-05"},
        tags={"headstart.stage": "train-head", "headstart.record": "k"},
        points=[point],
    )
    write_run(run, record)
    git("init", "-q")
    lock(root)
    git("add", "-A")
    git("commit", "-q", "-m", "x")
    return root


def rows() -> list[Any]:
    tracker = Tracker()
    runs = tracker.client.search_runs([tracker.experiment_id])
    return [run for run in runs if "headstart.complete" in run.data.tags]


def test_sync_adds_the_row_once(project: Path) -> None:
    result = headstart("sync")
    assert result.exit_code == 0 and "Added the row" in result.output, result.output
    assert "with 1 stage run(s)" in result.output
    for arguments in (["sync"], ["sync", "HEAD"]):
        assert "MLflow has the row already" in headstart(*arguments).output
    [row] = rows()
    assert row.data.params == {
        "train_head.lr": "1e-05",
        "train_head.phases.0.n": "1",
        "resize": "{}",
    }
    assert results_of(row) == {"train_head.valid.accuracy": 0.75}
    assert row.data.tags["headstart.state"] == state_of(PARAMS, {"train_head": METRICS})
    stage = Tracker().client.get_run(stages_of(row)["train-head"])
    assert stage.data.metrics == {"train_loss": 0.5}
    assert stage.data.tags["mlflow.parentRunId"] == row.info.run_id


def test_sync_of_a_revision_needs_the_metrics_files_alone(project: Path) -> None:
    shutil.rmtree(project / "data")
    (project / "metrics/train_head.json").write_text("{}")
    result = headstart("sync", "HEAD")
    assert result.exit_code == 0 and "with 0 stage run(s)" in result.output, result.output
    [row] = rows()
    assert results_of(row) == {"train_head.valid.accuracy": 0.75}


def test_sync_of_a_revision_names_its_commit_and_its_data(project: Path) -> None:
    (project / "labels.parquet").write_text("of the revision")
    stages = YAML().load(project / "dvc.yaml")
    stages["stages"]["publish-run"]["cmd"] += " --index labels.parquet"
    stages["stages"]["publish-run"]["deps"].append("labels.parquet")
    YAML().dump(stages, project / "dvc.yaml")
    lock(project)
    git("add", "-A")
    git("commit", "-q", "-m", "A better head")
    git("commit", "-q", "--allow-empty", "-m", "later")
    (project / "labels.parquet").write_text("of the workspace")
    assert "Added the row" in headstart("sync", "HEAD~1").output
    [row] = rows()
    commit = subprocess.check_output(["git", "rev-parse", "HEAD~1"], text=True).strip()
    assert row.info.run_name == "A better head"
    assert row.data.tags["mlflow.source.git.commit"] == commit
    [pictures] = row.inputs.dataset_inputs
    assert pictures.dataset.digest == digest([hashlib.md5(b"of the revision").hexdigest()])


def add_files(project: Path) -> str:
    """Let the stage run show a plot and publish-run a page, as they are at the commit returned."""
    folder = project / "reports"
    folder.mkdir()
    (folder / "plot.csv").write_text("of the commit")
    (folder / "page.html").write_text("of the commit")
    path = project / "data/7_runs/train_head.json"
    write_run(path, read_run(path).model_copy(update={"artifacts": ["reports/plot.csv"]}))
    stages = YAML().load(project / "dvc.yaml")
    stages["stages"]["publish-run"]["cmd"] += " --report reports/page.html"
    stages["stages"]["publish-run"]["deps"].append("reports/page.html")
    YAML().dump(stages, project / "dvc.yaml")
    lock(project)
    git("add", "-f", "data", "dvc.lock", "reports")
    git("commit", "-q", "-m", "files")
    return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()


def texts() -> dict[str, str]:
    """The content of each file that MLflow has of the row and its stage run."""
    client, [row] = Tracker().client, rows()
    run_ids = [row.info.run_id, stages_of(row)["train-head"]]
    return {
        file.path: Path(client.download_artifacts(run_id, file.path)).read_text()
        for run_id in run_ids
        for file in client.list_artifacts(run_id)
    }


def test_sync_brings_the_files_of_the_revision_not_those_of_the_workspace(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = add_files(project)
    for name in ("plot.csv", "page.html"):
        (project / "reports" / name).write_text("of a later run")
    monkeypatch.chdir(project / "reports")
    result = headstart("sync", commit)
    assert result.exit_code == 0 and "did not store" not in result.output, result.output
    assert texts() == {"plot.csv": "of the commit", "page.html": "of the commit"}


def test_sync_brings_later_what_was_not_there_at_first(project: Path) -> None:
    add_files(project)
    (project / "reports/plot.csv").rename(project / "plot.csv")
    (project / "reports/page.html").write_text("of a run that broke off")
    for said in ("Added the row", "MLflow has the row already"):
        result = headstart("sync")
        assert result.exit_code == 0 and said in result.output, result.output
        assert "did not store reports/plot.csv, reports/page.html" in result.stderr
        assert "dvc pull" in result.stderr
        assert texts() == {}
    git("checkout", "-q", ".")
    result = headstart("sync")
    assert result.exit_code == 0 and result.stderr == ""
    assert texts() == {"plot.csv": "of the commit", "page.html": "of the commit"}
    assert len(rows()) == 1


def test_sync_completes_a_stage_run_of_a_row_that_is_there(project: Path) -> None:
    run = (project / "data/7_runs/train_head.json").rename(project / "kept.json")
    assert "with 0 stage run(s)" in headstart("sync").output
    run.rename(project / "data/7_runs/train_head.json")
    assert "MLflow has the row already" in headstart("sync").output
    [row] = rows()
    stage = Tracker().client.get_run(stages_of(row)["train-head"])
    assert stage.data.tags["mlflow.parentRunId"] == row.info.run_id


def test_sync_refuses_metrics_that_the_lock_does_not_tell_of(project: Path) -> None:
    (project / "metrics/train_head.json").write_text("{}")
    result = headstart("sync")
    assert result.exit_code == 1
    assert "metrics/train_head.json is missing or differs from dvc.lock" in result.output
    assert rows() == []


@pytest.mark.parametrize("file", ["metrics/train_head.json", "data/7_runs/train_head.json"])
def test_sync_refuses_results_that_publish_run_has_not_read(project: Path, file: str) -> None:
    (project / file).write_text("{}")
    lock(project, "train-head")
    result = headstart("sync")
    assert result.exit_code == 1
    folder = Path(file).parent
    assert f"{folder} is newer than the last publish-run: run `dvc repro`" in result.output
    assert rows() == []


def test_sync_of_a_revision_whose_publish_run_names_each_file(project: Path) -> None:
    named = re.sub(r"(?<!-)(metrics|data/7_runs)(?=[ ,\]\n])", r"\1/train_head.json", STAGES)
    assert "deps: [metrics/train_head.json, data/7_runs/train_head.json]" in named
    (project / "dvc.yaml").write_text(named)
    lock(project)
    result = headstart("sync")
    assert result.exit_code == 0 and "with 1 stage run(s)" in result.output, result.output
    [row] = rows()
    assert results_of(row) == {"train_head.valid.accuracy": 0.75}


def test_sync_refuses_a_project_that_has_run_nothing(project: Path) -> None:
    (project / "dvc.lock").unlink()
    result = headstart("sync")
    assert result.exit_code == 1 and "run `dvc repro`" in result.output


def test_sync_refuses_a_revision_that_does_not_exist(project: Path) -> None:
    result = headstart("sync", "no-such-tag")
    assert result.exit_code == 1 and "no-such-tag" in result.output
    assert isinstance(result.exception, SystemExit)


def test_sync_says_that_the_tracker_is_down(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = headstart("sync")
    assert result.exit_code == 1
    assert "Logging to MLflow at http://127.0.0.1:9 failed" in result.output


@pytest.mark.parametrize(
    ("section", "size_px", "sentence"),
    [
        ("train_augmented", 128, "is 128, but activations of this size are not cached"),
        ("unfreeze_finetune", 512, "is 512: it must be at most backbone.size_px (240)"),
    ],
)
def test_check_holds_the_sizes_of_phases_against_the_backbone(
    tmp_path: Path, repo_root: Path, section: str, size_px: int, sentence: str
) -> None:
    yaml, path = YAML(), tmp_path / "params.yaml"
    params = yaml.load(repo_root / "params.yaml")
    params[section]["phases"][0]["size_px"] = size_px
    yaml.dump(params, path)
    result = headstart("check", str(path))
    assert result.exit_code == 1
    assert f"{path}: {section}.phases.0.size_px {sentence}" in result.output
