from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from headstart.fetching.image_sources import (
    MAX_GROWTH,
    ArchiveImages,
    read_images_source,
    tree_digest,
)
from headstart.project.located import SourceError


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Write sources/mine.yaml in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sources").mkdir()
    return lambda values: YAML().dump(values, tmp_path / "sources/mine.yaml")


ARCHIVE: dict[str, Any] = {"url": "https://host/a%20b.zip?t=1", "n_bytes": 7, "md5": "0" * 32}


def of(*archives: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"kind": "archives", "archives": list(archives)} | keys


def test_archives_are_read(write: Callable[[dict[str, Any]], None]) -> None:
    sha256 = {"url": "http://host/B.TGZ", "n_bytes": 3, "sha256": "1" * 64}
    write(of(ARCHIVE, sha256, root="a/b", keep=["train", "labels.csv"]))
    source = read_images_source("sources/mine.yaml")
    assert isinstance(source, ArchiveImages)
    assert [archive.name for archive in source.archives] == ["a b.zip", "B.TGZ"]
    assert [archive.checksum for archive in source.archives] == [
        ("md5", "0" * 32),
        ("sha256", "1" * 64),
    ]
    assert source.keep == ("train", "labels.csv") and source.limit_bytes == 10 * MAX_GROWTH
    write(of(ARCHIVE, max_unpacked_bytes=5))
    source = read_images_source("sources/mine.yaml")
    assert isinstance(source, ArchiveImages) and source.limit_bytes == 5


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"url": "ftp://host/p.zip"}, r"archives\.0\.url: .*must begin with https://"),
        ({"url": "https:///p.zip"}, r"archives\.0\.url: .*must begin with https://"),
        ({"url": "https://host/p.7z"}, r"archives\.0\.url: .*must name a file that ends in \.zip"),
        ({"sha256": "0" * 64}, r"archives\.0: .*exactly one of sha256"),
        ({"md5": None}, r"archives\.0: .*exactly one of sha256"),
        ({"md5": "0" * 31}, r"archives\.0\.md5: "),
        ({"n_bytes": 0}, r"archives\.0\.n_bytes: "),
        ({"size": 3}, r"archives\.0\.size: "),
    ],
)
def test_a_wrong_archive_is_named(
    write: Callable[[dict[str, Any]], None], changed: dict[str, Any], sentence: str
) -> None:
    write(of(ARCHIVE | changed))
    with pytest.raises(SourceError, match=rf"^sources/mine\.yaml: {sentence}"):
        read_images_source("sources/mine.yaml")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (of(), "archives: "),
        (of(ARCHIVE, ARCHIVE), "the file: .*two of them have the same checksum"),
        (of(ARCHIVE, root="/a"), "root: "),
        (of(ARCHIVE, keep=["a/"]), r"keep\.0: "),
        (of(ARCHIVE, max_files=0), "max_files: "),
        ({"kind": "timm"}, "the file: .*'package', 'archives'"),
    ],
)
def test_a_wrong_description_is_named(
    write: Callable[[dict[str, Any]], None], values: dict[str, Any], sentence: str
) -> None:
    write(values)
    with pytest.raises(SourceError, match=rf"^sources/mine\.yaml: {sentence}"):
        read_images_source("sources/mine.yaml")


def test_the_tree_digest_sees_names_and_contents() -> None:
    digest = tree_digest({"a": "1", "b": "2"})
    assert digest == tree_digest({"b": "2", "a": "1"})
    assert len({digest, tree_digest({"a": "2", "b": "1"}), tree_digest({"a": "1"})}) == 3
