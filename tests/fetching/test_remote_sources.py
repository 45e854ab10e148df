"""Descriptions of pictures in a store: what is allowed, and what each wrong key is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from headstart.fetching.image_sources import read_images_source
from headstart.fetching.remote_sources import RemoteFile, RemoteImages
from headstart.project.located import SourceError

URL = "s3://bucket/shards/train-*.tar"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RemoteImages]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sources").mkdir()

    def written(**keys: Any) -> RemoteImages:
        values = {"kind": "remote", "form": "webdataset", "files": [{"url": URL}]} | keys
        with (tmp_path / "sources/x.yaml").open("w") as file:
            YAML().dump(values, file)
        source = read_images_source("sources/x.yaml")
        assert isinstance(source, RemoteImages)
        return source

    return written


def test_a_description_is_read(write: Callable[..., RemoteImages]) -> None:
    source = write(classes=["cat", "dog"], label="json.of", picture="JPG")
    assert source.rules == ("jpg", "json.of", ("cat", "dog")) and not source.splits_given
    assert write(files=[{"url": URL, "split": "train"}]).splits_given
    numbers = RemoteFile(url="https://h/{0..1}/a-{08..10}.tar")
    assert list(numbers.urls()) == [
        f"https://h/{i}/a-{j}.tar" for i in (0, 1) for j in ("08", "09", "10")
    ]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"files": []}, r"sources/x\.yaml: files: "),
        (
            {"files": [{"url": "ftp://host/a.tar"}]},
            r"files\.0\.url: .*must begin with one of s3://",
        ),
        ({"files": [{"url": "s3:///a.tar"}]}, r"must begin with one of .* and a bucket"),
        ({"files": [{"url": "s3://b/../a.tar"}]}, r"must not hold '\.\.'"),
        ({"files": [{"url": URL, "sha256": "0" * 64}]}, "url stands for several"),
        ({"files": [{"url": "s3://b/{0..1}.tar", "n_bytes": 3}]}, "url stands for several"),
        ({"files": [{"url": "s3://b/{0..999999999}.tar"}]}, "url stands for 1000000000 files"),
        ({"files": [{"url": "s3://b/{3..1}.tar"}]}, "url stands for 0 files"),
        ({"files": [{"url": URL}, {"url": URL, "split": "test"}]}, "for all files or for none"),
        ({"form": "parquet", "classes": ["a"]}, "classes must not be given with form parquet"),
        ({"classes": ["a"], "classes_url": "s3://b/c"}, "only one of classes and classes_url"),
        ({"label": "png"}, r"label: "),
        ({"password": "x"}, r"password: "),
    ],
)
def test_a_wrong_key_is_named(
    write: Callable[..., RemoteImages], keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        write(**keys)


@pytest.mark.parametrize(
    "url",
    ["https://ada:pa55word@host/a.tar", "https://host/a.tar?X-Amz-Signature=pa55word"],
)
def test_a_secret_is_refused_and_not_repeated(write: Callable[..., RemoteImages], url: str) -> None:
    for keys in ({"files": [{"url": url}]}, {"classes_url": url}):
        with pytest.raises(SourceError, match="credentials come from the environment") as error:
            write(**keys)
        assert "pa55word" not in str(error.value)
