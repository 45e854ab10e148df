"""A small project in a folder of its own."""

import shutil
from pathlib import Path

import pytest

from tests.bad_inputs.project import QuietTeller, edit, fill

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is a project; beside it is the folder of its pictures, which is given back."""
    root = tmp_path / "project"
    root.mkdir()
    for folder in ("recipes", "sources"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copy(ROOT / "recipes/dogscats-lite0.yaml", root / "params.yaml")
    monkeypatch.chdir(root)
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.setattr("headstart.tracking.live.Teller", QuietTeller, raising=False)
    monkeypatch.setattr("headstart.tracking.teller.Teller", QuietTeller)
    pictures = fill(tmp_path / "pictures", n=5)
    edit(
        dataset__source=str(pictures), index_images__labels="folders",
        index_images__split="stratified", index_images__on_problem="set_aside",
    )  # fmt: skip
    return pictures
