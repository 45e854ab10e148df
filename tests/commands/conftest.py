"""Networks and pictures for the commands that use them."""

import shutil
from pathlib import Path

import pytest

from tests.saved_networks import save_networks
from tests.small_networks import picture


@pytest.fixture
def files(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The current folder holds params.yaml, the checkpoints of save_networks, and these pictures."""
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    shutil.copy(repo_root / "params.yaml", tmp_path)
    save_networks(tmp_path)
    for number in range(4):
        picture(number).save(tmp_path / f"{number}.png")
    return [f"{number}.png" for number in range(4)]


@pytest.fixture
def project(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what `init` needs of a clone; it is no git repository."""
    root = tmp_path / "project"
    root.mkdir()
    for folder in ("recipes", "sources"):
        shutil.copytree(repo_root / folder, root / folder)
    monkeypatch.chdir(root)
    return root
