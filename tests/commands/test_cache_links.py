"""`headstart init` has DVC clone results where the disk can: no write into data/ reaches the cache."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headstart.commands.cache_links import LINKS, use_reflinks
from tests.test_disk import PIPELINE, project_in, repro

MIB = 1 << 20
DVC = (sys.executable, "-m", "dvc")


@pytest.fixture
def project(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    root = project_in(tmp_path, repo_root)
    monkeypatch.chdir(root)
    return root


def copied(source: str, target: str) -> None:
    shutil.copy(source, target)


def refused(source: str, target: str) -> None:
    raise OSError(95, "Operation not supported")


def local(root: Path) -> str:
    file = root / ".dvc/config.local"
    return file.read_text() if file.is_file() else ""


def test_where_files_can_be_cloned(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvc_objects.fs.system.reflink", copied)
    assert use_reflinks() and LINKS in local(project)
    before = local(project)
    assert not use_reflinks() and local(project) == before  # it is set already


def test_where_they_cannot(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvc_objects.fs.system.reflink", refused)
    assert not use_reflinks() and not local(project)


def test_the_links_of_the_user_stay(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvc_objects.fs.system.reflink", copied)
    subprocess.run([*DVC, "config", "--global", "cache.type", "symlink"], check=True)
    assert not use_reflinks() and not local(project)


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not use_reflinks() and not list(tmp_path.iterdir())


@pytest.fixture
def xfs(tmp_path: Path) -> Iterator[Path]:
    """A new file system with reflinks, as root can mount it."""
    made, image = tmp_path / "xfs", tmp_path / "image"
    made.mkdir()
    if os.geteuid() or not shutil.which("mkfs.xfs"):
        pytest.skip("it needs root and mkfs.xfs (package xfsprogs)")
    with image.open("wb") as file:
        file.truncate(320 * MIB)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, made], capture_output=True).returncode:
        pytest.skip("this machine mounts no image")
    yield made
    subprocess.run(["umount", "--lazy", made], check=True)


def test_a_write_never_reaches_the_cache(
    xfs: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]
) -> None:
    root = project_in(xfs, repo_root)
    monkeypatch.chdir(root)
    assert use_reflinks()
    size = 30 * MIB
    make = f"head -c {size} /dev/urandom > checkpoint"
    (root / "dvc.yaml").write_text(PIPELINE.replace("echo ${spare}", make))
    before = used(xfs)
    repro(root, 1)
    grown = used(xfs) - before
    assert size < grown < 1.2 * size, "out and cache share their bytes"
    whole = (root / "checkpoint").read_bytes()
    with (root / "checkpoint").open("r+b") as file:
        file.write(b"damage")
    subprocess.run([*DVC, "checkout", "--force", "-q"], check=True)
    assert (root / "checkpoint").read_bytes() == whole
    figures(
        f"{size // MIB} MiB of results take {grown / MIB:.0f} MiB with DVC's cache; 1 write healed"
    )


def used(folder: Path) -> int:
    """Bytes in use on the file system of a folder."""
    os.sync()
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
