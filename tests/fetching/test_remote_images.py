"""Pictures from a server on localhost, as a folder: fetched once, resumed, tidied up."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from headstart.fetching import download
from headstart.fetching.image_sources import Archive, ArchiveImages
from headstart.fetching.remote_images import open_images
from headstart.image_files.tree import Tree, list_tree
from headstart.project.located import SourceError, UserPath
from headstart.project.report import Shown, Silent
from headstart.project.work import work_folder
from tests.fetching.test_archives import packed
from tests.server import Cut, Site, serve

T = TypeVar("T")

PICTURES = {f"set/train/{i}.jpg": random.Random(i).randbytes(700_000) for i in range(4)}


class Bars(Silent):
    """Remembers how far each bar came."""

    def __init__(self) -> None:
        self.bars: list[tuple[str, int, int]] = []

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        n_done = 0
        for item in items:
            n_done += 1
            yield item
        self.bars.append((label, n_done, n))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "N_TRIES", 1)
    with serve() as site:
        yield site


def put(site: Site, path: Path, files: Mapping[str, bytes]) -> Archive:
    """Let the server have an archive of `files`."""
    data = packed(path, files).read_bytes()
    site.files[f"/{path.name}"] = data
    return Archive(
        url=f"{site.url}/{path.name}", n_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
    )


def source(*archives: Archive, **keys: Any) -> ArchiveImages:
    return ArchiveImages(kind="archives", archives=archives, **({"root": "set"} | keys))


def read(tree: Tree) -> dict[str, bytes]:
    found = {}
    for path in tree.sizes:
        with tree.open(path) as file:
            found[path] = file.read()
    return found


def content(source: ArchiveImages) -> dict[str, bytes]:
    with open_images(source, Silent()) as folder:
        return read(list_tree(folder))


def left(tmp_path: Path) -> set[str]:
    """Names of the files that the work folder holds, locks apart."""
    found = (tmp_path / "project/.headstart/work").rglob("*")
    return {path.name for path in found if path.is_file() and path.suffix != ".lock"}


def test_pictures_are_fetched_and_nothing_stays(site: Site, tmp_path: Path) -> None:
    one = put(site, tmp_path / "one.tgz", PICTURES)
    two = put(site, tmp_path / "two.zip", {"set/labels.csv": b"id\n"})
    bars = Bars()
    with open_images(source(two, one), bars) as folder:
        found = read(list_tree(folder))
    assert found == {k[4:]: v for k, v in PICTURES.items()} | {"labels.csv": b"id\n"}
    assert left(tmp_path) == set()
    n_mb = one.n_bytes // 1_000_000 + 1
    assert bars.bars == [
        ("download one.tgz, MB", n_mb, n_mb),
        ("download two.zip, MB", 1, 1),
        ("unpack, MB", n_mb, n_mb),
    ]


def test_a_broken_off_download_goes_on(site: Site, tmp_path: Path) -> None:
    wanted = source(put(site, tmp_path / "p.tgz", PICTURES))
    site.plan = [Cut(900_000)]
    with pytest.raises(SourceError, match="run again to resume"):
        content(wanted)
    assert left(tmp_path) == {"p.tgz.part"}
    assert len(content(wanted)) == len(PICTURES)
    assert str(site.asked[1][1]).startswith("bytes=")


def test_a_wrong_root_is_corrected_without_another_download(site: Site, tmp_path: Path) -> None:
    archive = put(site, tmp_path / "p.tgz", PICTURES)
    with pytest.raises(SourceError, match="at the top: set"):
        content(source(archive, root="sets"))
    assert left(tmp_path) == {"p.tgz"}
    assert len(content(source(archive))) == len(PICTURES)
    assert len(site.asked) == 1 and left(tmp_path) == set()


def test_a_reader_that_fails_finds_the_pictures_again(site: Site, tmp_path: Path) -> None:
    wanted = source(put(site, tmp_path / "p.tgz", PICTURES))
    with pytest.raises(KeyboardInterrupt), open_images(wanted, Silent()):
        raise KeyboardInterrupt
    assert left(tmp_path) == {Path(name).name for name in PICTURES}
    assert len(content(wanted)) == len(PICTURES)
    assert len(site.asked) == 1 and left(tmp_path) == set()


def test_an_unpacking_that_was_killed_begins_anew(site: Site, tmp_path: Path) -> None:
    wanted = source(put(site, tmp_path / "p.tgz", PICTURES))
    with work_folder("pictures", wanted.model_dump(mode="json")) as work:
        (work / "unpacked.partial").mkdir()
        (work / "unpacked.partial/half.jpg").touch()
    assert set(content(wanted)) == {name.removeprefix("set/") for name in PICTURES}
    assert left(tmp_path) == set()


def test_a_folder_of_the_users_is_only_named(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    with open_images(UserPath(tmp_path), Silent()) as folder:
        assert folder == tmp_path
    assert (tmp_path / "1.jpg").exists()
