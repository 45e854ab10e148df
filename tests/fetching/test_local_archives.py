"""An archive on this machine as a source: unpacked, read, and gone again."""

from pathlib import Path

import pytest

from headstart.fetching import local_archives
from headstart.fetching.image_sources import read_images_source, that_stays
from headstart.fetching.local_archives import LocalArchive
from headstart.fetching.remote_images import open_images
from headstart.image_files.tree import list_tree
from headstart.project.located import SourceError
from headstart.project.report import Silent
from tests.fetching.test_archives import SET, all_forms, packed
from tests.fetching.test_remote_images import Bars, left, read


@all_forms
def test_an_archive_is_unpacked_as_a_whole(tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / name, SET)
    source, bars = read_images_source(str(archive)), Bars()
    assert source == LocalArchive(archive)
    assert that_stays(source, copy=False) is None
    for _ in range(2):
        with open_images(source, bars) as folder:
            assert read(list_tree(folder)) == SET
        assert left(tmp_path) == set() and archive.is_file()
    assert bars.bars == [("unpack, MB", 1, 1)] * 2


def test_the_newest_content_is_read_after_an_error(tmp_path: Path) -> None:
    archive = packed(tmp_path / "p.zip", SET)
    with pytest.raises(KeyboardInterrupt), open_images(LocalArchive(archive), Silent()):
        raise KeyboardInterrupt
    packed(archive, {"a/1.jpg": b"new"})
    with open_images(LocalArchive(archive), Silent()) as folder:
        assert read(list_tree(folder)) == {"a/1.jpg": b"new"}


def test_what_is_unsafe_empty_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(name: str, files: dict[str, bytes], sentence: str) -> None:
        source = LocalArchive(packed(tmp_path / name, files))
        with pytest.raises(SourceError, match=sentence), open_images(source, Silent()):
            pass
        assert left(tmp_path) == set()

    refused("up.zip", {"../1.jpg": b"x"}, "a path must be relative")
    refused("empty.zip", {}, r"empty\.zip: there is no file at all; at the top: nothing\.$")
    monkeypatch.setattr(local_archives, "n_free_bytes", lambda _: 7)
    refused(
        "big.zip", SET, "more than 3 bytes: .* unpack it yourself, and set dataset.source to the"
    )


def test_what_is_unpacked_does_not_lower_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([4_000])
    monkeypatch.setattr(local_archives, "n_free_bytes", lambda _: next(free, 7))
    source = LocalArchive(packed(tmp_path / "p.zip", SET))
    with open_images(source, Silent()) as folder:
        assert read(list_tree(folder)) == SET


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    (tmp_path / "p.rar").touch()
    with pytest.raises(SourceError, match=r"not a folder or an archive \(\.zip, \.tar, "):
        read_images_source(str(tmp_path / "p.rar"))
