"""What lies in a folder and is no file, names that few programs take, and a project in disorder."""

import json
import os
import socket
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.bad_inputs.pictures import BROKEN, ODD
from tests.bad_inputs.project import (
    IMAGES,
    INDEX,
    edit,
    fetch_images,
    fetch_weights,
    fill,
    headstart,
    index_images,
    right,
    sentence,
)
from tests.bad_inputs.readers import encoded, picture

pytestmark = pytest.mark.filterwarnings("ignore")


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # an address has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)
    os.chdir(here)


NO_FILES: dict[str, Callable[[Path], None]] = {
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a device, ": lambda path: path.symlink_to("/dev/full"),
    "a link to nowhere.jpg": lambda path: path.symlink_to("nowhere.jpg"),
    "a link back": lambda path: path.symlink_to(".."),
    "which does not exist": lambda path: path.symlink_to(path.name),
    "valid UTF-8": lambda path: path.with_name(f"{path.name}\udce9\U0001f600.jpg").touch(),
}


@pytest.mark.parametrize("what", NO_FILES)
@pytest.mark.parametrize("name", ["odd.jpg", "odd.parquet"])
def test_what_is_no_file_is_named(what: str, name: str, project: Path) -> None:
    NO_FILES[what](project / "cat" / name)
    words = (what.strip(", "), "odd")
    sentence(headstart("init", project, "--force"), *words)
    sentence(fetch_images(), *words)


def test_a_link_to_a_folder_elsewhere_is_followed(project: Path, tmp_path: Path) -> None:
    (project / "elsewhere").symlink_to(fill(tmp_path / "others", 5, 60) / "cat")
    right(fetch_images())
    right(index_images())
    assert json.loads(Path("data/metrics.json").read_text())["n_classes"] == 3


NAMES = (
    *("new\nline.png", " spaces .png", "emoji \U0001f600.png", "dots...png", 'quote".png'),
    *("a;b,c.png", "back\\slash.png"),
    *("é.png", unicodedata.normalize("NFD", "é.png"), "CASE.png", "case.png", "tab\t.png"),
    *("x" * 251 + ".png", "-rf.png", "$(id).png", "\x1b[31m.png", "%s.png", "con.png"),
)  # fmt: skip


def test_every_name_is_read(project: Path) -> None:
    for i, name in enumerate(NAMES):
        (project / "cat" / name).write_bytes(encoded(picture("RGB", 100 + i, (9, 7)), "PNG"))
        (project / "dog" / name).write_bytes(b"broken")
    right(headstart("init", project, "--force"))
    right(fetch_images())
    edit(index_images__on_problem="set_aside")
    right(index_images())
    found = pd.read_parquet(INDEX / "pictures.parquet")
    paths = {path for of_one in found["paths"] for path in of_one}
    assert {f"cat/{name}" for name in NAMES} <= paths
    problems = pd.read_csv(INDEX / "problems.csv", keep_default_na=False)
    assert {f"dog/{name}" for name in NAMES} == set(problems["path"])
    edit(index_images__on_problem="stop")
    said = index_images()
    assert said.exit_code == 1 and "\x1b" not in said.output
    assert "new\\nline.png" in said.output


@pytest.mark.parametrize(
    "name", ["new\nline: [", "emoji \U0001f600", "..x", "é", "# no comment", "'"]
)
def test_every_name_of_a_folder_is_read(name: str, tmp_path: Path, project: Path) -> None:
    folder = fill(tmp_path / name, n=8)
    right(headstart("init", folder, "--force"))
    right(fetch_images())
    right(index_images())


@pytest.mark.parametrize("pair", [("Tom", "tom"), ("é", unicodedata.normalize("NFD", "é"))])
def test_classes_that_look_alike_are_told(pair: tuple[str, str], project: Path) -> None:
    for k, name in enumerate(pair):
        (project / name).mkdir()
        for i in range(4):
            data = encoded(picture("RGB", 50 + 10 * k + i, (9, 7)), "PNG")
            (project / name / f"{i}.png").write_bytes(data)
    right(fetch_images())
    said = right(index_images())
    assert "differ only in case" in said and "rename" in said


def test_pictures_of_every_kind_in_one_folder(project: Path) -> None:
    for name, make in {**BROKEN, **ODD}.items():
        (project / "cat" / name).write_bytes(make())
    right(headstart("init", project, "--force"))
    right(fetch_images())
    edit(index_images__on_problem="set_aside")
    right(index_images())
    problems = pd.read_csv(INDEX / "problems.csv")
    assert set(problems["path"]) == {f"cat/{name}" for name in BROKEN}
    assert problems["detail"].str.len().between(8, 200).all()


def test_work_that_is_a_file(project: Path) -> None:
    Path(".headstart").write_text("mine")
    for run in (fetch_images, index_images):
        sentence(run(), ".headstart", "move it away")
    assert Path(".headstart").read_text() == "mine"


def test_work_full_of_garbage(project: Path) -> None:
    right(fetch_images())
    right(index_images())
    before = {file.name: file.read_bytes() for file in INDEX.iterdir()}
    kept = [file for file in Path(".headstart/work").rglob("*") if file.is_file()]
    assert any(file.name == "records.bin" for file in kept)
    for i in range(6):
        for file in kept:
            data = bytearray(file.read_bytes())
            if data:
                data[i * 13 % len(data)] ^= 0x55
                file.write_bytes(data)
        Path(".headstart/work/records/garbage").write_bytes(b"\xff" * 99)
        right(index_images())
        assert {file.name: file.read_bytes() for file in INDEX.iterdir()} == before


@pytest.mark.parametrize("name", ["files.parquet", "source.json"])
def test_an_index_without_its_inputs(name: str, project: Path) -> None:
    right(fetch_images())
    (IMAGES / name).unlink()
    sentence(index_images(), str(IMAGES / name), "`dvc repro`")


def test_a_picture_that_is_gone_or_changed(project: Path) -> None:
    right(fetch_images())
    file = project / "cat/0.png"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    sentence(index_images(), str(file), "`dvc repro`")
    file.unlink()
    sentence(index_images(), str(file), "`dvc repro`")
    os.mkfifo(file)
    sentence(index_images(), str(file), "`dvc repro`")


def test_weights_that_are_no_file(project: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    edit(backbone__weights=str(tmp_path / "pipe.safetensors"))
    sentence(fetch_weights(), "pipe.safetensors", "not a file")
    sentence(headstart("check"), "pipe.safetensors", "not a file")
