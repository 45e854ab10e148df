"""Objects of stores: fetched once, resumed, checked, and told about; a local server breaks things."""

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest

from headstart.fetching import objects, stores
from headstart.fetching.remote_images import list_pictures, open_images
from headstart.fetching.remote_sources import RemoteImages
from headstart.image_files.image_folder import ImageFolder, write_images
from headstart.project.located import SourceError
from headstart.project.report import Silent
from headstart.steps.fetch_images import fetch_images
from tests.fetching.test_remote_images import read
from tests.indexed import picture
from tests.parquets import write_parquet
from tests.server import Cut, Site, serve
from tests.shards import shard

PNG = [picture(i) for i in range(4)]
NOISE = random.Random(0).randbytes(3_000_000)
LARGE = shard({"a": {"jpg": b"\xff\xd8\xff" + NOISE, "cls": b"0"}})


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(objects, "N_TRIES", 1)
    monkeypatch.setattr(objects, "WAIT_S", 0.0)
    with serve() as site:
        yield site


def remote(*urls: str, form: str = "webdataset", **of_file: Any) -> RemoteImages:
    keys = {key: of_file.pop(key) for key in ("classes", "classes_url") if key in of_file}
    files = [{"url": url, **of_file} for url in urls]
    return RemoteImages.model_validate({"kind": "remote", "form": form, "files": files, **keys})


def content(source: RemoteImages, keep: bool = False) -> dict[str, bytes]:
    with open_images(source, Silent(), keep) as folder:
        return read(list_pictures(source, folder))


def put(site: Site, name: str, data: bytes) -> str:
    site.files[f"/{name}"] = data
    site.etags[f"/{name}"] = hashlib.md5(data).hexdigest()
    return f"{site.url}/{name}"


def test_shards_over_http_with_classes_of_a_file(site: Site, tmp_path: Path) -> None:
    for i in range(2):
        of = {"png": PNG[i], "cls": b"%d" % i}
        put(site, f"train-{i:03}.tar", shard({"x": of}))
    url = put(site, "classnames.txt", b"cat\ndog\n")
    source = remote(f"{site.url}/train-{{000..001}}.tar", classes_url=url)
    assert content(source) == {
        "train/cat/train-000-x.png": PNG[0], "train/dog/train-001-x.png": PNG[1]
    }  # fmt: skip
    assert not list(tmp_path.rglob("*.tar"))


def test_a_broken_connection_goes_on_where_it_was(
    site: Site, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    source = remote(put(site, "train.tar", LARGE))
    cuts = [2_000_000, 100_000, 700_000]
    for n in cuts:
        site.plan = [Cut(n)]
        with pytest.raises(SourceError, match="The part fetched so far"):
            content(source)
    assert len(content(source)) == 1
    starts = [int(str(asked[1])[6:-1]) for asked in site.asked[1:]]
    came = [sum(cuts[: i + 1]) for i in range(len(cuts))]
    lost = [n - start for n, start in zip(came, starts, strict=True)]
    assert all(0 <= n <= len(cuts) * stores.STREAM_BYTES for n in lost)
    figures(
        f"{len(cuts)} broken connections after {came[-1]:,} bytes in all, {lost[-1]:,} of them asked "
        "for again"
    )


def test_without_ranges_it_begins_anew(site: Site) -> None:
    site.resumes = False
    source = remote(put(site, "train.tar", LARGE))
    site.plan = [Cut(2_000_000)]
    with pytest.raises(SourceError, match="run again to resume"):
        content(source)
    assert len(content(source)) == 1


def test_a_body_shorter_than_announced_is_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "N_TRIES", 4)
    source = remote(put(site, "train.tar", LARGE))
    site.plan = [Cut(1_000_000), Cut(0), 503, None]
    assert len(content(source)) == 1
    assert len(site.asked) == 4 and site.asked[1][1] != site.asked[0][1]


def test_an_object_that_changes_is_noticed(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # between a broken try and the next run: its part is thrown away
    source = remote(put(site, "train.tar", LARGE))
    site.plan = [Cut(1_000_000)]
    with pytest.raises(SourceError, match="run again"):
        content(source)
    other = shard({"b": {"png": PNG[0], "cls": b"0"}})
    put(site, "train.tar", other)
    assert content(source) == {"train/0/train-b.png": PNG[0]}
    assert capsys.readouterr().err == ""
    # between two tries of one run, with the same size
    changed = bytearray(LARGE)
    changed[5000:6000] = bytes(1000)
    put(site, "train.tar", LARGE)
    site.plan = [Cut(1_000_000)]
    monkeypatch.setattr(objects, "N_TRIES", 2)
    monkeypatch.setattr(time, "sleep", lambda _: put(site, "train.tar", bytes(changed)))
    with pytest.raises(SourceError, match="changed while it was fetched: run again"):
        content(source)
    # since the last whole fetch: told, and fetched
    assert len(content(source)) == 1
    said = capsys.readouterr().err
    assert f"1 objects have changed: {site.url}/train.tar." in said


def test_what_is_kept_is_asked_for_only(site: Site) -> None:
    source = remote(put(site, "train.tar", LARGE))
    content(source, keep=True)
    content(source)
    assert len(site.asked) == 1
    content(source)
    assert len(site.asked) == 2


@pytest.mark.parametrize(
    ("of_file", "said"),
    [
        ({"n_bytes": 7}, "its n_bytes is .* says 7: the object has changed"),
        ({"etag": "old"}, "its etag is .* says 'old': the object has changed"),
        ({"sha256": "0" * 64}, "its sha256 is .* says 0000"),
    ],
)
def test_what_a_description_promises_is_held(
    site: Site, of_file: dict[str, Any], said: str
) -> None:
    url = put(site, "train.tar", LARGE)
    with pytest.raises(SourceError, match=said):
        content(remote(url, **of_file))
    right: dict[str, Any] = {"n_bytes": len(LARGE), "etag": site.etags["/train.tar"],
             "sha256": hashlib.sha256(LARGE).hexdigest()}  # fmt: skip
    assert len(content(remote(url, **right))) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, r"may not be read \(403\): check the address"),
        (404, r"does not exist \(404\), or is not shown"),
        (503, r"did not answer in 1 tries"),
        (418, r"the server answered 418"),
    ],
)
def test_a_refusal_is_a_sentence(site: Site, status: int, said: str) -> None:
    url = put(site, "train.tar", LARGE)
    site.refused["/train.tar"] = status
    with pytest.raises(SourceError, match=said):
        content(remote(url))


def test_no_secret_is_written_or_told(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]
) -> None:
    signed = "/signed.tar?X-Amz-Signature=5ecretsignature"
    monkeypatch.setenv("HF_TOKEN", "hf_5ecrettoken")
    put(site, signed[1:], LARGE)
    site.moved["/train.tar"] = f"{site.url}{signed}"
    source = remote(f"{site.url}/train.tar")
    told = []
    for wrong in (403, 404, 500, Cut(1000), None):
        if isinstance(wrong, int):
            site.refused = {signed: wrong}
        else:
            site.refused, site.plan = {}, [None, wrong] if wrong else []
        try:
            with open_images(source, Silent(), keep=True) as folder:
                tree = list_pictures(source, folder)
                files = fetch_images(tree, source, 10**9, Silent())
                write_images(tmp_path / "images", folder, files, None)
        except SourceError as error:
            told.append(str(error))
    assert len(told) == 4 and len(ImageFolder(tmp_path / "images")) == 1
    monkeypatch.setattr(stores, "_store_of", lambda _: 1 / 0)
    monkeypatch.setattr(stores, "first_line", lambda _: f"at https://h{signed} by hf_5ecrettoken")
    with pytest.raises(SourceError) as told_last:
        content(source)
    told.append(str(told_last.value))
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    for text in (*(line.encode() for line in told), *written):
        assert b"5ecret" not in text
    figures(f"0 secrets in {len(written)} files and {len(told)} messages")


def test_globs_where_the_store_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fsspec.filesystem("memory")
    for name, i in (("set/a/train-0.tar", 0), ("set/b/val-0.tar", 1), ("set/b/.x.tar", 2)):
        memory.pipe(name, shard({"k": {"png": PNG[i], "txt": b"owl"}}))
    try:
        with pytest.raises(SourceError, match=r"several data sets in the folders a, b"):
            content(remote("memory://set/**/*.tar"))
        assert list(content(remote("memory://set/**/*.tar", split="train"))) == [
            "train/owl/train-a-train-0-k.png", "train/owl/train-b-val-0-k.png"
        ]  # fmt: skip
        with pytest.raises(SourceError, match=r"memory://none/\*\.tar finds no file"):
            content(remote("memory://none/*.tar"))
        with pytest.raises(SourceError, match=r"does not end in \.parquet"):
            content(remote("memory://set/b/val-0.tar", form="parquet"))
        with pytest.raises(SourceError, match="would both become"):
            content(remote("memory://set/b/val-0.tar", "memory://set/b/v*-0.tar"))
    finally:
        memory.rm("/set", recursive=True)


def test_parquet_with_splits_of_the_description(tmp_path: Path) -> None:
    names = {"label": ["cat", "dog"]}
    for k, name in enumerate(("test-00000-of-00001", "b")):
        write_parquet(tmp_path / f"in/{name}.parquet", [PNG[k]], names, label=[k])
    files = [
        {"url": f"file://{tmp_path}/in/{name}.parquet", "split": split}
        for name, split in (("test-*", "train"), ("b", "valid"))
    ]
    source = RemoteImages.model_validate({"kind": "remote", "form": "parquet", "files": files})
    assert content(source) == {
        "train/cat/train-test-00000-of-00001-000001.png": PNG[0],
        "valid/dog/valid-b-000001.png": PNG[1],
    }
    pq.write_table(
        pq.read_table(tmp_path / "in/b.parquet").select(["label"]), tmp_path / "c.parquet"
    )
    with pytest.raises(SourceError, match="holds no pictures: form parquet needs"):
        content(remote(f"file://{tmp_path}/c.parquet", form="parquet"))


def test_a_picture_a_file(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"in/{'ab'[i % 2]}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"in/{'ab'[i % 2]}/{i}.png").write_bytes(PNG[i])
    found = content(remote(f"file://{tmp_path}/in/**", form="files"))
    assert found == {"a/0.png": PNG[0], "a/2.png": PNG[2], "b/1.png": PNG[1]}


@pytest.mark.parametrize(("scheme", "extra"), [("s3", "s3"), ("gs", "gs")])
def test_a_missing_package_is_named(
    scheme: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ImportError("Install s3fs to access S3")

    stores._store_of.cache_clear()
    monkeypatch.setattr(fsspec, "filesystem", missing)
    with pytest.raises(SourceError, match=rf"pip install 'headstart\[{extra}\]'"):
        content(remote(f"{scheme}://bucket/a.tar"))
    stores._store_of.cache_clear()


@pytest.mark.long
def test_s3_as_moto_has_it(monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]) -> None:
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    _host, port = server.get_host_and_port()
    for name, value in (("AWS_ACCESS_KEY_ID", "5ecretkey"), ("AWS_SECRET_ACCESS_KEY", "5ecret"),
                        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")):  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stores, "PIECE_BYTES", 1 << 20)
    stores._store_of.cache_clear()
    try:
        s3 = fsspec.filesystem("s3", skip_instance_cache=True)
        s3.mkdir("bucket")
        s3.pipe("bucket/set/train-0.tar", LARGE)
        s3.pipe("bucket/set/val-0.tar", shard({"k": {"png": PNG[0], "cls": b"1"}}))
        source = remote("s3://bucket/set/*.tar")
        assert sorted(content(source)) == ["train/0/train-0-a.jpg", "valid/1/val-0-k.png"]
        with pytest.raises(SourceError, match=r"s3://bucket/no\.tar does not exist"):
            content(remote("s3://bucket/no.tar"))
        asked = threading.Event()
        whole = stores.pieces

        def broken(url: str, start: int, n_bytes: int) -> Iterator[tuple[int, bytes]]:
            for piece in whole(url, start, n_bytes):
                yield piece
                if not asked.is_set() and "train" in url:
                    asked.set()
                    raise stores.BrokenOffError("cut")

        monkeypatch.setattr(objects, "pieces", broken)
        monkeypatch.setattr(objects, "WAIT_S", 0.0)
        assert len(content(source)) == 2 and asked.is_set()
        figures("2 shards of a bucket of moto, read by pattern, one resumed after 1 of 3 pieces")
    finally:
        stores._store_of.cache_clear()
        server.stop()
        os.environ.pop("AWS_ENDPOINT_URL", None)
