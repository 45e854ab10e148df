"""`dvc artifacts get` brings the model of a project into another folder, by name and version."""

import hashlib
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.contract import read_stages, read_yaml
from tests.repository import run

CONTENT = b"a trained network"


@pytest.fixture
def project(tmp_path: Path, repo_root: Path) -> Path:
    """A repository with our dvc.yaml, in which tta-evaluate has written the model."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(repo_root / name, root)
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "init", "--quiet")
    path, md5 = declared(repo_root)["path"], hashlib.md5(CONTENT).hexdigest()
    out = {"path": path, "hash": "md5", "md5": md5, "size": len(CONTENT)}
    [stage] = [s for s in read_stages(repo_root) if path in s.outs]
    lock = {"schema": "2.0", "stages": {stage.name: {"cmd": "as it was", "outs": [out]}}}
    with (root / "dvc.lock").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(lock, file)
    cached = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)
    run(root, "git", "add", "dvc.yaml", "params.yaml", "dvc.lock", ".dvc")
    run(root, "git", "commit", "--quiet", "--message", "trained")
    return root


def declared(root: Path) -> dict[str, object]:
    """The one artifact of dvc.yaml."""
    [(name, entry)] = read_yaml(root / "dvc.yaml")["artifacts"].items()
    assert (name, entry["type"]) == ("model", "model")
    return dict(entry)


def test_publish_run_logs_the_file_that_dvc_calls_the_model(repo_root: Path) -> None:
    [publish] = [stage for stage in read_stages(repo_root) if stage.name == "publish-run"]
    assert dict(publish.arguments)["--model"] == declared(repo_root)["path"]


def test_another_folder_gets_the_model(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(project, "git", "tag", "--annotate", "model@v1.0.0", "--message", "in use")
    said = run(elsewhere, "dvc", "artifacts", "get", str(project), "model")
    assert "Downloaded 1 file(s) to 'model.safetensors'" in said
    assert (elsewhere / "model.safetensors").read_bytes() == CONTENT
    run(elsewhere, "dvc", "artifacts", "get", str(project), "model", "--rev", "v1.0.0", "--force")
