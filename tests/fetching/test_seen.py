"""What a folder or a file holds now, with and without reading it again."""

import hashlib
import os
from pathlib import Path

import pytest

from headstart.fetching.image_sources import tree_digest
from headstart.fetching.seen import Seen, seen
from headstart.project.errors import HeadstartError

CONTENT = {"cats/1.jpg": b"one", "dogs/2.jpg": b"two!"}
HOUR_NS = 3600 * 10**9


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files of an hour ago, and a hidden one."""
    monkeypatch.chdir(tmp_path)
    for name, data in {**CONTENT, ".DS_Store": b"hidden"}.items():
        file = tmp_path / "source" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        age(file)
    return tmp_path / "source"


def age(file: Path) -> None:
    then = file.stat().st_mtime_ns - HOUR_NS
    os.utime(file, ns=(then, then))


def rewrite(file: Path, data: bytes) -> None:
    """Other bytes with the same time and inode."""
    then = file.stat().st_mtime_ns
    with file.open("r+b") as opened:
        opened.write(data)
    os.utime(file, ns=(then, then))


def test_a_folder_is_seen_by_its_content(folder: Path, tmp_path: Path) -> None:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}
    assert seen(folder) == Seen(2, 7, tree_digest(digests))
    moved = folder.rename(tmp_path / "elsewhere")
    assert seen(moved) == Seen(2, 7, tree_digest(digests))
    assert seen(folder) is None


def test_a_file_is_seen_by_its_bytes(folder: Path) -> None:
    file = folder / "cats/1.jpg"
    assert seen(file) == Seen(1, 3, hashlib.sha256(b"one").hexdigest())


@pytest.mark.parametrize("what", ["added", "removed", "renamed", "changed", "touched"])
def test_each_edit_is_seen_and_a_new_time_alone_is_none(folder: Path, what: str) -> None:
    before, file = seen(folder), folder / "cats/1.jpg"
    match what:
        case "added":
            (folder / "new.jpg").write_bytes(b"")
        case "removed":
            file.unlink()
        case "renamed":
            file.rename(folder / "dogs/1.jpg")
        case "changed":
            file.write_bytes(b"ONE")
        case _:
            file.touch()
    assert (seen(folder) == before) == (what == "touched")


def test_only_what_has_changed_is_read_unless_it_goes_deep(folder: Path) -> None:
    before = seen(folder)
    rewrite(folder / "cats/1.jpg", b"ONE")
    assert seen(folder) == before != seen(folder, deep=True)
    (folder / "dogs/2.jpg").touch()  # of this moment, so it is read again each time
    assert seen(folder) == before
    rewrite(folder / "dogs/2.jpg", b"TWO!")
    assert seen(folder) != before


def test_a_damaged_note_is_ignored(folder: Path) -> None:
    before = seen(folder)
    [note] = Path(".headstart/work/seen").iterdir()
    for text in ("[[1]]", "{", "[3]", "null"):
        note.write_text(text)
        assert seen(folder) == before


def test_what_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "cats/link.jpg").symlink_to("nowhere")
    with pytest.raises(HeadstartError, match=r"link\.jpg is a link to nowhere"):
        seen(folder)
