"""What a record says about the place it was made in."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from headstart.tracking import surroundings as place
from headstart.tracking.live import StageRun, stage_run
from headstart.tracking.surroundings import changes, machine, surroundings, versions


def git(*words: str) -> None:
    config = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *config, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    for name in ("params.yaml", "dvc.lock", "code.py"):
        (tmp_path / name).write_text("a")
    git("add", ".")
    git("commit", "-q", "-m", "x")
    return tmp_path


def test_changed_files_are_named_staged_or_not_but_not_what_dvc_writes(repository: Path) -> None:
    assert changes() == []
    assert surroundings()["headstart.changes"] == "none"
    for name in ("params.yaml", "dvc.lock", "code.py", "untracked.txt"):
        (repository / name).write_text("b")
    git("add", "code.py")
    assert changes() == ["code.py", "params.yaml"]
    assert surroundings()["headstart.changes"] == "code.py\nparams.yaml"


def test_many_changes_are_counted(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "N_CHANGES", 1)
    for name in ("params.yaml", "code.py"):
        (repository / name).write_text("b")
    assert changes() == ["code.py", "and 1 others"]


def test_outside_a_repository_nothing_is_said_of_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert changes() is None
    assert "headstart.changes" not in surroundings()


def test_versions_are_those_that_run() -> None:
    assert f"numpy {np.__version__}" in versions().split(", ")
    assert versions().startswith("Python 3.")


def test_the_machine_has_a_chip_cores_and_its_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A Chip @ 2 GHz\n")
    gpu = tmp_path / "gpus/0000:01:00.0"
    gpu.mkdir(parents=True)
    (gpu / "information").write_text("Model: \t\t A GPU\nIRQ: 1\n")
    monkeypatch.setattr(place, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(place, "_GPUS", tmp_path / "gpus")
    chip, cores, memory, gpu_name = machine().split(", ")
    assert (chip, gpu_name) == ("A Chip @ 2 GHz", "A GPU")
    assert "core" in cores and memory.endswith("GiB of memory")
    monkeypatch.setattr(place, "_CPUINFO", tmp_path / "gone")
    assert machine().split(", ")[0] != "A Chip @ 2 GHz"


@pytest.mark.usefixtures("tracked_project", "told_in_process")
def test_the_record_of_a_stage_holds_them() -> None:
    with stage_run("train-head", Path("run.json"), {}) as run:
        pass
    assert isinstance(run, StageRun)
    assert run.record.tags.items() >= surroundings().items()
