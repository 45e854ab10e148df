"""params.yaml, sources/*.yaml and tables of labels that are hostile: one sentence, soon."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import PIL
import pytest
from click.testing import Result

from tests.bad_inputs.project import (
    edit,
    fetch_images,
    fetch_weights,
    headstart,
    index_images,
    right,
    sentence,
)

pytestmark = pytest.mark.filterwarnings("ignore")

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40)
)


def check() -> Result:
    return headstart("check")


HOSTILE = {
    "latin-1": ("dataset:\n  source: caf\xe9\n".encode("latin-1"), "is not UTF-8"),
    "utf-16": ("dataset: {}\n".encode("utf-16"), "is not UTF-8"),
    "zeros": (bytes(100), "line 1 holds the control character"),
    "empty": (b"", "must hold sections"),
    "code": (b"dataset: !!python/object/apply:os.system ['touch ran']\n", "line 1"),
    "name": (b"dataset: !!python/name:os.system\n", "line 1"),
    "unknown tag": (b"dataset: !mine {a: b}\n", "line 1"),
    "laughs": (LAUGHS.encode(), "aliases"),
    "itself": (b"dataset: &a\n  source: *a\n", "aliases"),
    "merges itself": (b"dataset: &a\n  <<: *a\n", ""),
    "key twice": (b"dataset: {}\ndataset: {}\n", "a second time"),
    "list": (b"- dataset\n- backbone\n", "must hold sections"),
    "text": (b"dataset", "must hold sections"),
    "deep": (b"a: " + b"[" * 800 + b"]" * 800, "not valid YAML"),
    "deep block": (b"".join(b" " * i + b"a:\n" for i in range(900)), ""),
    "huge number": (b"dataset: 1" + b"0" * 4000, "bits"),
    "longer number": (b"dataset: 1" + b"0" * 9000, "not valid YAML"),
    "seed": (b"index_images: {seed: 100000000000000000000}", "bits"),
    "two documents": (b"a: 1\n---\nb: 2\n", "not valid YAML"),
    "odd keys": (b"1: 2\n? [a, b]\n: c\n.inf: x\n", ""),
    "huge": (b"#" * 2_000_000, "at most 1000000"),
    "long key": (b"k" * 900_000 + b": 1\n", ""),
    "binary": (b"dataset: !!binary aGVsbG8=\n", ""),
    "date": (b"dataset: 2026-13-45\n", ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_params(kind: str, project: Path) -> None:
    content, word = HOSTILE[kind]
    Path("params.yaml").write_bytes(content)
    for run in (check, fetch_images):
        start = time.process_time()
        said = run()
        assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
        assert said.exit_code == 1 and "Traceback" not in said.output
        for line in said.output.splitlines():
            assert len(line) < 1200
        assert "params.yaml" in said.output and word in said.output, said.output[:500]
        assert time.process_time() - start < 10
    assert not Path("ran").exists()


def test_params_that_are_no_file(project: Path) -> None:
    file = Path("params.yaml")
    makers: tuple[tuple[Callable[[Path], None], str], ...] = (
        (os.mkfifo, "a pipe or a device"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "a pipe or a device"),
        (lambda path: path.symlink_to(path.name), "params.yaml"),
    )
    for make, word in makers:
        file.unlink()
        make(file)
        for run in (check, fetch_images, index_images):
            sentence(run(), "params.yaml", word)
        if file.is_dir():
            file.rmdir()
            file.touch()
    file.unlink()
    sentence(headstart("check"), "params.yaml does not exist")


def test_init_over_params_that_are_no_text(project: Path) -> None:
    Path("params.yaml").write_bytes(b"\xff\xfe\xfa")
    sentence(headstart("init", project), "params.yaml is no UTF-8 text", "--force")
    assert Path("params.yaml").read_bytes() == b"\xff\xfe\xfa"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset__source", "/etc/../etc"),
        ("dataset__source", "/no\0where"),
        ("dataset__source", "x" * 5000),
        ("dataset__source", "/" + "x/" * 3000),
        ("dataset__source", "sources/../../secret.yaml"),
        ("backbone__weights", "/etc/passwd"),
        ("backbone__weights", "/no\0where"),
        ("backbone__weights", "/dev/zero"),
        ("backbone__weights", "../../secret.pth"),
        ("index_images__labels", "../secret.csv"),
        ("index_images__labels", "/etc/passwd"),
        ("index_images__labels", "no\0where"),
        ("index_images__csv_folder", "../.."),
        ("write_submission__sample", "../secret.csv"),
    ],
)
def test_paths_out_of_the_folder(key: str, value: str, project: Path) -> None:
    (project.parent / "secret.csv").write_text("id,label\nsecret,word\n")
    edit(**{key: value})
    said = headstart("check").output + fetch_images().output + fetch_weights().output
    dotted = key.replace("__", ".")
    assert dotted in said and "Traceback" not in said and "word" not in said
    assert "root:" not in said
    assert all(len(line) < 1200 for line in said.splitlines())
    sentence(headstart("check"), dotted)


def _wide(n: int) -> bytes:
    return ",".join(["id", *(f"c{i}" for i in range(n))]).encode() + b"\n" + b"0" + b",0" * n


TABLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "quote": (lambda: b'id,label\ncat/0.png,"a\ncat/1.png,b\n', "quote"),
    "zeros": (lambda: b"id,label\n\0\0\0\n", "zero bytes"),
    "huge cell": (lambda: b"id,label\ncat/0.png," + b"x" * 500_000 + b"\n", "line 2"),
    "wide": (lambda: _wide(1_000_000), "columns"),
    "wide JSON": (lambda: b"[{" + b",".join(b'"%d":1' % i for i in range(200_000)) + b"}]", "columns"),
    "many cells": (lambda: b"id,label\n" + b"x," * 100_000 + b"y\n", "line 2"),
    "deep JSON": (lambda: b"[" * 100_000, "line 1"),
    "deep line": (lambda: b'{"id": ' + b"[" * 100_000 + b"}\n", "line 1"),
    "huge number": (lambda: b'[{"id": 1' + b"0" * 9000 + b"}]", "line 1"),
    "workbook": (lambda: b"PK\x03\x04" + bytes(50), "Excel"),
    "nothing": (lambda: b"", "empty"),
    "spaces": (lambda: b" \n \n,,,\n", ""),
    "header": (lambda: b"id,label\n", "no rows"),
    "columns twice": (lambda: b"id,id\n1,2\n", "several columns"),
    "no picture": (lambda: b"id,label\n../../secret,a\n/etc/passwd,b\n", "no such picture"),
    "parquet": (lambda: b"PAR1" + bytes(40) + b"PAR1", "damaged Parquet"),
    "not a word": (lambda: bytes(range(128, 256)) * 9, "UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_hostile_tables(kind: str, project: Path) -> None:
    make, word = TABLES[kind]
    (project / "labels.csv").write_bytes(make())
    (project.parent / "secret.png").write_bytes(b"secret")
    edit(
        index_images__labels="labels.csv", index_images__id_column="id",
        index_images__label_column="label", index_images__id_suffix="",
    )  # fmt: skip
    right(fetch_images())
    start = time.process_time()
    sentence(index_images(), "labels.csv", word)
    sentence(headstart("init", project / "labels.csv", "--force"), "labels.csv")
    assert time.process_time() - start < 20


def test_a_picture_named_by_a_table_never_leaves_the_folder(project: Path) -> None:
    (project.parent / "secret.png").write_bytes((project / "cat/0.png").read_bytes())
    rows = [f"{name}/{i}.png,{name}" for name in ("cat", "dog") for i in range(5)]
    table = "\n".join(["id,label", *rows, "../secret.png,cat", "/etc/passwd,dog"])
    (project / "labels.csv").write_text(table)
    edit(
        index_images__labels="labels.csv", index_images__id_column="id",
        index_images__label_column="label", index_images__id_suffix="",
    )  # fmt: skip
    right(fetch_images())
    right(index_images())
    problems = Path("data/1_index/problems.csv").read_text()
    assert "secret" in problems and "/etc/passwd" in problems


def _package(name: str, path: str = "x") -> bytes:
    about = {"kind": "package", "package": name, "version": PIL.__version__, "path": path}
    return json.dumps(about | {"sha256": "0" * 64, "n_files": 1, "n_bytes": 1}).encode()


DESCRIPTIONS = {
    "code": b"kind: !!python/object/apply:os.system ['touch ran']\n",
    "laughs": LAUGHS.encode() + b"kind: *a39\n",
    "no kind": b"a: b\n",
    "kind": b"kind: [package]\n",
    "list": b"- kind\n",
    "empty": b"",
    "latin-1": b"kind: \xe9\n",
    "zero byte": _package("a\0b"),
    "no package": _package(""),
    "long": _package("p" * 5000),
    "long path": _package("pillow", "p/" * 5000),
    "way out": _package("pillow", "../" * 20 + "etc/ssl"),
}


@pytest.mark.parametrize("kind", DESCRIPTIONS)
def test_hostile_descriptions(kind: str, project: Path) -> None:
    Path("sources/mine.yaml").write_bytes(DESCRIPTIONS[kind])
    edit(dataset__source="sources/mine.yaml")
    said = fetch_images()
    assert said.exit_code == 1 and isinstance(said.exception, SystemExit), said.exception
    assert "dataset.source" in said.output or "sources/mine.yaml" in said.output
    assert all(len(line) < 1200 for line in said.output.splitlines())
    assert not Path("ran").exists()


def test_descriptions_that_are_a_pipe(project: Path) -> None:
    os.mkfifo("sources/mine.yaml")
    edit(dataset__source="sources/mine.yaml")
    sentence(fetch_images(), "sources/mine.yaml")
