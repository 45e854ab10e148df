"""DVC was killed while it wrote a file of its own: it is named, and removed on demand."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headstart.commands.cli import main
from headstart.commands.half_written import LOCKS, half_written
from tests.commands.test_verify import Small

RESULTS = ("big/array", "big/rows", "net", "page", "dvc.lock")


@pytest.fixture
def small(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    project = Small(tmp_path, repo_root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", project.environment["DVC_SITE_CACHE_DIR"])
    monkeypatch.chdir(project.root)
    return project


def verify(*options: str) -> Result:
    return CliRunner().invoke(main, ["verify", *options])


def repro(project: Small) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["dvc", "repro"], cwd=project.root, env=os.environ | project.environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_what_dvc_cannot_read_is_named_and_removed(
    small: Small, figures: Callable[[str], None]
) -> None:
    whole = {name: (small.root / name).read_bytes() for name in RESULTS}
    lock, locks = small.root / "dvc.lock", small.root / LOCKS
    lock.write_bytes(whole["dvc.lock"][:30])
    locks.write_text('{"write": {"/')
    assert repro(small).returncode, "DVC reads it"
    said = verify()
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr == (
        f"Error: {lock} and {locks} are half written, as DVC leaves its files when it is killed: run "
        "`headstart verify --repair`, then `dvc repro`, which restores the results from DVC's cache.\n"
    )
    assert lock.exists() and locks.exists()
    said = verify("--repair")
    assert said.exit_code == 0 and said.stdout.startswith(f"Removed {lock} and {locks}. Now run ")
    done = repro(small)
    assert done.returncode == 0 and "Running stage" not in done.stdout
    assert {name: (small.root / name).read_bytes() for name in RESULTS} == whole
    assert verify().exit_code == 0
    figures("dvc.lock and DVC's locks half written: named, removed, all results restored")


def test_a_run_that_dvc_did_not_write_down(small: Small) -> None:
    whole = {name: (small.root / name).read_bytes() for name in RESULTS}
    (small.root / "dvc.lock").unlink()
    entries = list((small.root / ".dvc/cache/runs").glob("*/*/*"))
    assert entries
    for entry in entries:
        entry.unlink()
    assert "argument must be str" in repro(small).stderr, "DVC fails at an empty folder"
    said = verify()
    assert said.exit_code == 1 and str(entries[0].parent) in said.stderr
    assert verify("--repair").exit_code == 0
    assert repro(small).returncode == 0
    assert {name: (small.root / name).read_bytes() for name in RESULTS} == whole


LOCK = """schema: '2.0'
stages:
  make:
    cmd: python make.py
    deps:
    - path: make.py
      hash: md5
      md5: 900150983cd24fb0d6963f7d28e17f72
      size: 3
  tell:
    cmd: cat net
"""


def test_a_cut_is_noticed_or_leaves_what_dvc_reads(tmp_path: Path) -> None:
    """Where the cut is between two entries, DVC reads a shorter file, and restores the rest."""
    lock, n_noticed = tmp_path / "dvc.lock", 0
    assert half_written(tmp_path) == []
    for n in range(len(LOCK)):
        lock.write_text(LOCK[:n])
        n_noticed += half_written(tmp_path, looks_s=0) == [lock]
    lock.write_text(LOCK)
    assert half_written(tmp_path) == [] and 60 < n_noticed < len(LOCK)


def test_the_file_of_locks_must_be_json_of_its_form(tmp_path: Path) -> None:
    locks = tmp_path / LOCKS
    locks.parent.mkdir(parents=True)
    for text, expected in (("", [locks]), ("{", [locks]), ("[]", [locks]), ("{}", [])):
        locks.write_text(text)
        assert half_written(tmp_path, looks_s=0) == expected


def test_a_file_that_dvc_is_just_writing_is_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "dvc.lock"
    lock.touch()
    sleep = "headstart.commands.half_written.time.sleep"
    monkeypatch.setattr(sleep, lambda _: lock.write_text(LOCK))
    assert half_written(tmp_path) == []
