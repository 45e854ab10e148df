"""Empty folders of DVC's run cache, wherever the cache is, are found and removed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headstart.checks.run_cache import empty_folders, remove_empty_folders


def folder_of(cache: Path, name: str) -> Path:
    folder = cache / "runs" / name[:2] / name
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ("[core]\n    no_scm = True\n[cache]\n    type = hardlink\n", "project/.dvc/cache"),
        ("[cache]\n    dir = ../../shared\n", "shared"),
        ("['remote \"a\"']\n    url = /x\n[cache]\n    dir = {}/shared\n", "shared"),
        ("no settings", "project/.dvc/cache"),
    ],
)
def test_only_what_is_empty(tmp_path: Path, settings: str, place: str) -> None:
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(settings.format(tmp_path))
    full, empty = (folder_of(tmp_path / place, name) for name in ("ab1", "ab2"))
    (full / "entry").touch()
    (tmp_path / place / "runs/ab/file").touch()
    assert empty_folders(root, looks_s=0) == [empty]
    remove_empty_folders(root)
    assert full.is_dir() and not empty.exists()
    assert empty_folders(tmp_path / "elsewhere") == []


def test_a_folder_that_dvc_fills_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / ".dvc/cache", "ab1")
    sleep = "headstart.checks.run_cache.time.sleep"
    monkeypatch.setattr(sleep, lambda _: (folder / "entry").touch())
    remove_empty_folders(tmp_path)
    assert (folder / "entry").exists()


def test_the_first_stage_removes_them(tmp_path: Path, repo_root: Path) -> None:
    for name in ("params.yaml", "sources"):
        copy = shutil.copytree if (repo_root / name).is_dir() else shutil.copy
        copy(repo_root / name, tmp_path / name)
    empty = folder_of(tmp_path / ".dvc/cache", "ab1")
    script = repo_root / "stages/check_inputs.py"
    options = ["--pictures", "p.json", "--weights", "w.json"]
    subprocess.run([sys.executable, script, *options], cwd=tmp_path, check=True)
    assert not empty.exists()
