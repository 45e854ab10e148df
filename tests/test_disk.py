"""With this project's settings, outs share their disk space with DVC's cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PIPELINE = """
stages:
  make:
    cmd: mkdir big && echo ${value} > big/array && echo ${value} > checkpoint && echo ${spare}
    params: [value, spare]
    outs: [big, checkpoint]
"""


def project_in(folder: Path, repo_root: Path) -> Path:
    """A DVC project with this repository's settings."""
    root = folder / "project"
    root.mkdir()
    subprocess.run(["git", "init", "-q", root], check=True)
    ignored = shutil.ignore_patterns("tmp", "cache", "config.local")
    shutil.copytree(repo_root / ".dvc", root / ".dvc", ignore=ignored)
    (root / "dvc.yaml").write_text(PIPELINE)
    return root


@pytest.fixture
def project(tmp_path: Path, repo_root: Path) -> Path:
    return project_in(tmp_path, repo_root)


def repro(root: Path, value: int, spare: int = 0) -> None:
    (root / "params.yaml").write_text(f"value: {value}\nspare: {spare}\n")
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
        "DVC_NO_ANALYTICS": "1",
    }
    subprocess.run(["dvc", "repro", "-q"], cwd=root, env=environment, check=True)


def copies_of_its_own(root: Path) -> list[str]:
    """Outs that do not share an inode with a file in DVC's cache."""
    cached = {file.stat().st_ino for file in (root / ".dvc/cache").rglob("*") if file.is_file()}
    outs = [root / "big/array", root / "checkpoint"]
    return [file.name for file in outs if file.stat().st_ino not in cached]


def test_outs_lie_once(project: Path) -> None:
    """DVC's cache types must be links only: with reflink or copy allowed, it accepts a plain file."""
    for value in (1, 2, 1):  # the last value is restored from the cache
        repro(project, value)
        assert copies_of_its_own(project) == []
        assert (project / "checkpoint").read_text() == f"{value}\n"
    repro(project, 1, spare=1)  # runs again, with the same results
    assert copies_of_its_own(project) == []


def test_what_lies_in_the_cache_is_read_only(project: Path) -> None:
    """Otherwise a write through a link would change the cache."""
    repro(project, 1)
    assert {file.stat().st_mode & 0o222 for file in (project / ".dvc/cache").rglob("??*")
            if file.is_file() and "runs" not in file.parts} == {0}  # fmt: skip
