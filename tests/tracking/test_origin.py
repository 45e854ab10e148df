"""Where a run comes from."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from headstart.tracking.origin import origin, subject


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("LOGNAME", "ada")
    return tmp_path


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.check_output(["git", *identity, *arguments], text=True).strip()


def test_a_folder_without_a_repository_has_user_and_source(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "calm-otter")
    tags = origin("dvc.yaml")
    assert json.loads(tags.pop("headstart.process"))["pid"] == str(os.getpid())
    assert tags == {
        "mlflow.source.name": "dvc.yaml",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": "ada",
        "headstart.experiment": "calm-otter",
    }
    assert subject() == ""


def test_the_commit_is_that_of_the_revision(folder: Path) -> None:
    git("init", "-q")
    for message in ("first\n\nmore", "second"):
        git("commit", "-q", "--allow-empty", "-m", message)
    git("tag", "-a", "v1", "-m", "a tag", "HEAD~1")
    assert origin("dvc.yaml")["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
    assert origin("dvc.yaml", "v1")["mlflow.source.git.commit"] == git("rev-parse", "HEAD~1")
    assert (subject(), subject("v1"), subject("no-such")) == ("second", "first", "")
