"""Weights, checkpoints, archives and Parquet files that are hostile: one sentence, little memory."""

import io
import json
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from headstart.backbone.tensors import TensorsError, read_tensors
from tests.bad_inputs.project import (
    edit,
    fetch_images,
    fetch_weights,
    headstart,
    right,
    sentence,
)
from tests.bad_inputs.readers import encoded, picture
from tests.saved_networks import save_networks

pytestmark = pytest.mark.filterwarnings("ignore")

ONE = {"a": torch.arange(4.0)}


def _header(about: Any, n_bytes: int = 16, length: int | None = None) -> bytes:
    """A safetensors file with this header."""
    text = about if isinstance(about, bytes) else json.dumps(about).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(n_bytes)


def _tensor(*offsets: int, shape: tuple[int, ...] = (4,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


SAFETENSORS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"this is no file of weights" * 9,
    "cut": lambda: save(ONE)[:-3],
    "longer": lambda: save(ONE) + b"x",
    "huge header": lambda: _header({"a": _tensor(0, 16)}, length=1 << 62),
    "header of 2 GB": lambda: _header({"a": _tensor(0, 16)}, length=1 << 31),
    "negative": lambda: _header({"a": _tensor(-16, 0)}),
    "backwards": lambda: _header({"a": _tensor(16, 0)}),
    "beyond": lambda: _header({"a": _tensor(0, 1 << 40, shape=(1 << 38,))}),
    "overlap": lambda: _header({"a": _tensor(0, 16), "b": _tensor(8, 24)}, 24),
    "hole": lambda: _header({"a": _tensor(0, 16), "b": _tensor(32, 48)}, 48),
    "overflow": lambda: _header({"a": _tensor(0, 16, shape=(1 << 40, 1 << 40))}),
    "wrong shape": lambda: _header({"a": _tensor(0, 16, shape=(5,))}),
    "dtype": lambda: _header({"a": _tensor(0, 16, dtype="F99")}),
    "list": lambda: _header([1, 2]),
    "deep": lambda: _header(b"[" * 100_000),
    "metadata": lambda: _header({"__metadata__": {"a": [1]}, "a": _tensor(0, 16)}),
    "metadata list": lambda: _header({"__metadata__": [1], "a": _tensor(0, 16)}),
}  # fmt: skip


class Code:
    """A pickle that would make a file when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def _saved(content: Any, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def _packed(data: bytes) -> bytes:
    """The same ZIP archive, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


def _tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("storages"))
    return buffer.getvalue()


def _itself() -> dict[str, Any]:
    content: dict[str, Any] = {}
    content["model"] = content
    return content


PICKLES: dict[str, Callable[[], bytes]] = {
    "code": lambda: _saved({"a": Code()}),
    "old code": lambda: _saved({"a": Code()}, zipped=False),
    "numpy": lambda: _saved({"a": np.float64(1.5)}),
    "module": lambda: _saved(torch.nn.Linear(2, 2)),
    "cut": lambda: _saved(ONE)[:-30],
    "old cut": lambda: _saved(ONE, zipped=False)[:-30],
    "opcodes": lambda: b"\x80\x02\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "empty": lambda: b"",
    "protocol 5": lambda: b"\x80\x05}\x94.",
    "tar": _tarred,
    "compressed": lambda: _packed(_saved(ONE)),
    "bomb": lambda: _saved({"a": torch.zeros(1).expand(1 << 40)}),
    "itself": lambda: _saved(_itself()),
    "sparse": lambda: _saved({"a": torch.eye(3).to_sparse()}),
    "numbers": lambda: _saved({"a": 1.0}),
    "keys": lambda: _saved({("a", "b"): torch.zeros(1)}),
}


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_hostile_weights(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, make in (SAFETENSORS if suffix == ".safetensors" else PICKLES).items():
        file = tmp_path / f"weights of {kind}{suffix}"
        file.write_bytes(make())
        with pytest.raises(TensorsError) as caught:
            read_tensors(file)
        said = str(caught.value)
        assert str(file) in said and said.endswith(".") and "\n" not in said, said
        assert "weights_only" not in said and len(said) < 600, said
    assert not Path("ran").exists()


def test_the_stage_refuses_code(project: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(PICKLES["code"]())
    edit(backbone__weights=str(tmp_path / "mine.pth"))
    assert sentence(fetch_weights(), str(tmp_path / "mine.pth")).endswith(".")
    assert not Path("ran").exists()


INFO: dict[str, dict[str, Any]] = {
    "size": {"size_px": 10**9},
    "no size": {"size_px": -1},
    "architecture": {"architecture": "../../etc"},
    "too large": {"architecture": "vit_giant_patch14_224"},
    "another": {"architecture": "resnet18"},
    "options": {"options": {"checkpoint_path": "/etc/passwd"}},
    "no classes": {"classes": []},
    "classes": {"classes": ["a", "b", "c", "d"]},
    "mean": {"mean": [1]},
    "kind": {"kind": "dog"},
    "ensemble": {"kind": "ensemble"},
    "head": {"kind": "head"},
    "format": {"format": 99},
    "old": {"format": 1},
    "unknown": {"x" * 5000: 1},
    "stored": {"preprocessing": {"stored": [], "pillow": "1"}},
    "task": {"task": "multi_label"},
}


def test_hostile_checkpoints(project: Path) -> None:
    from headstart.backbone.tensors import NamedTensors, write_tensors

    save_networks(Path())
    Image.new("RGB", (40, 40)).save("x.png")
    good = read_tensors(Path("net.safetensors"))
    for kind, change in INFO.items():
        about = json.loads(good.metadata["headstart"]) | change
        file = Path(f"{kind}.safetensors".replace(" ", "-"))
        write_tensors(file, NamedTensors(good.tensors, {"headstart": json.dumps(about)}))
        said = headstart("predict", file, "x.png")
        assert sentence(said), kind
    for kind, metadata in {
        "none": {},
        "text": {"headstart": "x"},
        "list": {"headstart": "[1]"},
    }.items():
        file = Path(f"{kind}.safetensors")
        write_tensors(file, NamedTensors(good.tensors, metadata))
        sentence(headstart("predict", file, "x.png"), str(file))
    heads = [k for k in good.tensors if k.startswith("head.") and k.endswith(".weight")]
    for name in (*heads[:2], heads[-1], next(k for k in good.tensors if k.startswith("backbone."))):
        fewer = {key: tensor for key, tensor in good.tensors.items() if key != name}
        write_tensors(Path("fewer.safetensors"), NamedTensors(fewer, good.metadata))
        sentence(headstart("predict", "fewer.safetensors", "x.png"), "fewer.safetensors")
    os.mkfifo("pipe.safetensors")
    refused = "pipe.safetensors is no readable checkpoint: it is a pipe, a socket or a device."
    for words in (("predict", "pipe.safetensors", "x.png"), ("demo", "pipe.safetensors"),
                  ("export", "pipe.safetensors", "--to", "pt2")):  # fmt: skip
        assert sentence(headstart(*words)) == refused
    for kind, make in PICKLES.items():
        Path("model.pth").write_bytes(make())
        said = headstart("predict", "model.pth", "x.png")
        assert sentence(said, "model.pth"), kind


def test_predict_names_each_bad_picture(project: Path) -> None:
    from tests.bad_inputs.pictures import BROKEN, ODD

    save_networks(Path())
    Path("many").mkdir()
    os.mkfifo("pipe.jpg")
    Path("zero.jpg").symlink_to("/dev/zero")
    for name, make in {**BROKEN, **ODD}.items():
        Path("many", name).write_bytes(make())
    bad = [Path("many", name) for name in BROKEN]
    files = [*bad, *(Path("many", name) for name in ODD)]
    said = headstart("predict", "net.safetensors", "pipe.jpg", "zero.jpg", *files, "gone.jpg")
    assert said.exit_code == 1 and isinstance(said.exception, SystemExit), said.exception
    for name in ("pipe.jpg", "zero.jpg", "gone.jpg", *map(str, bad)):
        assert f"{name} cannot be read: " in said.output
    assert said.stdout.count("\n") == 1 + len(ODD)
    os.mkfifo("many/pipe.jpg")
    said = headstart("predict", "net.safetensors", "many")
    assert said.exit_code == 1 and "many/pipe.jpg is a pipe" in said.output


def _zip(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as packed:
        for name, data in entries:
            packed.writestr(name, data)
    return buffer.getvalue()


def _tar(*entries: tuple[str, bytes, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, encoding="utf-8") as packed:  # type: ignore[call-overload]
        for name, data, kind in entries:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, "/etc/passwd"
            packed.addfile(info, io.BytesIO(data) if data else None)
    return buffer.getvalue()


PNG = encoded(picture(), "PNG")
FILE, LINK = tarfile.REGTYPE, tarfile.SYMTYPE


def _encrypted() -> bytes:
    data = bytearray(_zip(("a/1.png", PNG), method=zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def _zip_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        info = zipfile.ZipInfo("a/link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, "/etc/passwd")
    return buffer.getvalue()


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "cut.zip": lambda: _zip(("a/1.png", PNG))[:200],
    "cut.tar": lambda: _tar(("a/1.png", PNG, FILE))[:700],
    "cut.tgz": lambda: _tar(("a/1.png", PNG, FILE), mode="w:gz")[:200],
    "empty.zip": lambda: b"",
    "empty.tar": lambda: b"",
    "text.tar.gz": lambda: b"not found" * 99,
    "root.zip": lambda: _zip(("/etc/x.png", PNG)),
    "root.tar": lambda: _tar(("/etc/x.png", PNG, FILE)),
    "up.zip": lambda: _zip(("a/../../x.png", PNG)),
    "up.tgz": lambda: _tar(("../x.png", PNG, FILE), mode="w:gz"),
    "drive.zip": lambda: _zip(("C:\\x.png", PNG)),
    "link.zip": _zip_link,
    "link.tar": lambda: _tar(("a/link.png", b"", LINK)),
    "hard.tar": lambda: _tar(("a/hard.png", b"", tarfile.LNKTYPE)),
    "device.tar": lambda: _tar(("a/dev.png", b"", tarfile.CHRTYPE)),
    "pipe.tar": lambda: _tar(("a/pipe.png", b"", tarfile.FIFOTYPE)),
    "bomb.zip": lambda: _zip(("a/zeros.png", bytes(1 << 28))),
    "bomb.tgz": lambda: _tar(("a/zeros.png", bytes(1 << 28), FILE), mode="w:gz"),
    "encrypted.zip": _encrypted,
    "lzma.zip": lambda: _zip(("a/1.png", PNG), method=zipfile.ZIP_LZMA),
    "twice.zip": lambda: _zip(("a/1.png", PNG), ("a/1.png", b"other")),
    "twice.tar": lambda: _tar(("a/1.png", PNG, FILE), ("a/1.png", b"other", FILE)),
    "file-and-folder.zip": lambda: _zip(("a", PNG), ("a/1.png", PNG)),
    "long.zip": lambda: _zip(("a/" + "x" * 300 + ".png", PNG)),
    "longer.zip": lambda: _zip(("a/" * 5000 + "x.png", PNG)),
    "latin.tar": lambda: _tar(("a/caf\udce9\U0001f600.png", PNG, FILE)),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archives(name: str, project: Path, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(ARCHIVES[name]())
    edit(dataset__source=str(file))
    sentence(fetch_images(), name)
    sentence(headstart("init", file, "--force"), name)
    assert not (tmp_path / "x.png").exists() and not list(Path(".headstart").rglob("*.png"))


def test_hostile_archives_to_predict(project: Path, tmp_path: Path) -> None:
    save_networks(Path())
    for name, make in ARCHIVES.items():
        (tmp_path / name).write_bytes(make())
    said = headstart("predict", "net.safetensors", *(tmp_path / name for name in ARCHIVES))
    assert said.exit_code == 1 and isinstance(said.exception, SystemExit), said.exception
    for name in ARCHIVES:
        assert f"{tmp_path / name} cannot be read: " in said.output
    assert said.stdout.count("\n") == 1


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _parquet(rows: list[Any], labels: Any, kind: Any = None) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(
        pa.table({"image": pa.array(rows, IMAGE), "label": pa.array(labels, kind)}), buffer
    )
    return buffer.getvalue()


def _row(data: bytes | None) -> dict[str, Any]:
    return {"bytes": data, "path": "../../x.png"}


PARQUETS: dict[str, Callable[[], bytes]] = {
    "cut": lambda: _parquet([_row(PNG)] * 4, ["a", "b"] * 2)[:-9],
    "empty": lambda: b"",
    "bomb": lambda: _parquet([_row(PNG + bytes(1 << 20))] * 300, ["a", "b"] * 150),
    "labels": lambda: _parquet([_row(PNG)] * 2, [["a"], ["b"]]),
    "up": lambda: _parquet([_row(PNG), _row(PNG)], ["../../a", "_.._a"]),
}


@pytest.mark.parametrize("kind", PARQUETS)
def test_hostile_parquet(kind: str, project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.parquet").write_bytes(PARQUETS[kind]())
    (folder / "train-1.parquet").write_bytes(_parquet([_row(PNG)] * 2, ["a", "b"]))
    edit(dataset__source=str(folder))
    said = fetch_images()
    if kind == "up":
        right(said)
        assert not list(tmp_path.glob("*.png"))
    else:
        sentence(said, str(folder))
