"""DVC's tables of metrics fit a terminal."""

import json
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from headstart.evaluation.headline import headline
from tests.contract import read_yaml
from tests.repository import run

N_COLUMNS, MAX_NUMBERS = 120, 8
EXPERIMENT = "fold-0-of-5-1a2b3c"  # as `headstart folds` names it


def metrics_files(root: Path) -> list[str]:
    """The files that dvc.yaml calls metrics."""
    stages = read_yaml(root / "dvc.yaml")["stages"].values()
    entries = [entry for stage in stages for entry in stage.get("metrics", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.fixture
def project(tmp_path: Path, repo_root: Path) -> Path:
    """A repository with our params and metrics files and one experiment; no stage runs in it."""
    files = metrics_files(repo_root)
    shutil.copytree(repo_root / "metrics", tmp_path / "metrics")
    shutil.copy(repo_root / "params.yaml", tmp_path)
    scores = json.loads((repo_root / "metrics/tta_evaluate.json").read_text())
    third = {key: value / 3 for key, value in headline(scores).items()}
    (tmp_path / "scores.json").write_text(json.dumps(third))
    YAML().dump({"metrics": files, "params": ["params.yaml"]}, tmp_path / "dvc.yaml")
    (tmp_path / ".dvc").mkdir()
    shutil.copy(repo_root / ".dvc/config", tmp_path / ".dvc")
    (tmp_path / ".gitignore").write_text("/site\n")
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "git", "add", "-A")
    run(tmp_path, "git", "commit", "-q", "-m", "a state")
    (tmp_path / "scores.json").write_text(json.dumps(headline(scores)))
    run(tmp_path, "dvc", "exp", "save", "-n", EXPERIMENT)
    return tmp_path


def width(table: str) -> int:
    return max(map(len, table.splitlines()))


def test_both_tables_fit_a_terminal(project: Path) -> None:
    shown = run(project, "dvc", "metrics", "show")
    assert "scores.json" in shown and width(shown) <= N_COLUMNS
    shown = run(project, "dvc", "exp", "show", "--drop", ".*[./]")
    assert EXPERIMENT in shown and width(shown) <= N_COLUMNS
    for key in ("valid", "valid_tta", "test", "test_tta", "valid_loss", "test_loss"):
        assert f" {key} " in shown
    assert width(run(project, "dvc", "metrics", "diff")) <= N_COLUMNS


def test_metrics_are_one_file_of_few_numbers(repo_root: Path) -> None:
    assert metrics_files(repo_root) == ["scores.json"]
    scores = json.loads((repo_root / "metrics/tta_evaluate.json").read_text())
    assert 0 < len(headline(scores)) <= MAX_NUMBERS
