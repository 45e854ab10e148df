"""docs/results.ipynb runs in the project's folder `docs`, in a kernel of its own."""

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.finished_project import write_project
from tests.saved_networks import save_networks
from tests.small_networks import picture

NOTEBOOK = "docs/results.ipynb"


def read(repo_root: Path) -> Any:
    text = (repo_root / NOTEBOOK).read_text("utf-8")
    return nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]


def test_the_notebook_shows_the_results_of_a_run(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    write_project(tmp_path, repo_root)
    (tmp_path / "data/4_checkpoints").mkdir()
    save_networks(tmp_path / "data/4_checkpoints")
    networks = tmp_path / "data/4_checkpoints"
    shutil.copy(networks / "net.safetensors", networks / "model.safetensors")
    (tmp_path / "docs").mkdir()
    picture(0).save(tmp_path / "docs/photo.jpg")
    notebook = read(repo_root)
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path / "docs")}}
    ).execute()
    scores, curve, wrong, shown, similar, said = (
        cell.outputs[-1].data for cell in notebook.cells if cell.cell_type == "code"
    )
    assert "accuracy" in scores["text/plain"] and "image/png" in curve
    assert "c.jpg" in wrong["text/plain"] and "d.jpg" not in wrong["text/plain"]
    assert "image/png" in shown
    # picture c resembles itself most
    assert similar["text/plain"].splitlines()[1].split()[1:3] == ["c", "c.jpg"]
    assert "photo.jpg" in said["text/plain"]


def test_the_notebook_is_kept_without_outputs(repo_root: Path) -> None:
    notebook = read(repo_root)
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
