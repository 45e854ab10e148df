"""The readers of files that come from elsewhere, each with small valid inputs.

A reader gives back whatever it likes, or raises a HeadstartError; anything else is a fault. An
assertion here says what must hold of an input that was read.
"""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from PIL import Image

from headstart.project.errors import HeadstartError

Seeds = Sequence[bytes]

ROOT = Path(__file__).parents[2]
SIDE_PX = (48, 32)


class Reader(NamedTuple):
    """How inputs of one kind are read.

    Attributes:
        seeds: gives valid inputs.
        read: takes an input, and an empty folder of its own.
    """

    seeds: Callable[[], Seeds]
    read: Callable[[bytes, Path], object]


def picture(mode: str = "RGB", number: int = 0, size: tuple[int, int] = SIDE_PX) -> Image.Image:
    """Smooth colours with a little noise."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(number).integers(0, 30, (height, width, 3))
    values = np.stack([x * 200 // width, y * 200 // height, (x + y) % 200], axis=2) + noise
    image = Image.fromarray(values.astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray((np.asarray(image)[..., 0].astype(np.uint16) << 8) + 99)
    return image.convert(mode)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    """EXIF with an orientation and a comment."""
    found = Image.Exif()
    found[0x0112], found[0x010E] = orientation, "a comment"
    return found


@cache
def _pictures(form: str) -> Seeds:
    kinds: dict[str, Sequence[tuple[str, dict[str, Any]]]] = {
        "JPEG": [
            ("RGB", {}), ("L", {}), ("CMYK", {}), ("RGB", {"exif": exif(6)}),
            ("RGB", {"progressive": True}), ("RGB", {"restart_marker_rows": 1}),
        ],
        "PNG": [("RGB", {}), ("RGBA", {}), ("P", {}), ("LA", {}), ("1", {}), ("I;16", {}),
                ("RGB", {"exif": exif(3), "icc_profile": b"a profile"})],
        "WEBP": [("RGB", {}), ("RGBA", {"lossless": True}), ("RGB", {"exif": exif(8)})],
        "TIFF": [("RGB", {}), ("RGB", {"compression": "tiff_lzw"}), ("CMYK", {}), ("I;16", {}),
                 ("L", {"compression": "jpeg"}), ("1", {"compression": "group4"}),
                 ("RGB", {"compression": "tiff_deflate", "exif": exif(5)}), ("F", {})],
        "GIF": [("P", {}), ("L", {})],
        "BMP": [("RGB", {}), ("P", {}), ("1", {})],
    }  # fmt: skip
    found = [encoded(picture(mode, i), form, **o) for i, (mode, o) in enumerate(kinds[form])]
    if form in ("GIF", "WEBP", "PNG"):
        frames = [picture("RGB", i) for i in range(3)]
        found.append(encoded(frames[0], form, save_all=True, append_images=frames[1:]))
    return found


def _read_picture(data: bytes, _: Path) -> None:
    from headstart.commands.headers import look_at
    from headstart.commands.small_picture import see
    from headstart.pictures.facts import find_facts
    from headstart.pictures.plugins import register_plugins

    register_plugins()
    facts, seen, look = find_facts(data), see(data), look_at(io.BytesIO(data))
    assert bool(facts.problem) == bool(facts.detail)
    assert bool(facts.problem) != (facts.width > 0 and facts.height > 0)
    for said in (facts.detail, seen.problem, look.problem):
        assert len(said) < 300 and "\n" not in said, said
    if facts.problem:
        raise HeadstartError(facts.detail)


def _tables() -> Seeds:
    import pandas as pd

    rows = {"id": [f"train/{i}.png" for i in range(8)], "label": ["cat", "a dog"] * 4}
    table = pd.DataFrame(rows | {"group": ["", "x"] * 4})
    parquet, lines = io.BytesIO(), table.to_json(orient="records", lines=True)
    table.to_parquet(parquet)
    flags = pd.DataFrame({"id": rows["id"], "cat": [1, 0] * 4, "dog": [0, 1] * 4})
    lists = [{"id": i, "label": [name]} for i, name in zip(*rows.values(), strict=True)]
    return [
        table.to_csv(index=False).encode(),
        table.to_csv(index=False, sep="\t").encode("utf-16"),
        table.to_csv(index=False, sep=";", quoting=1, lineterminator="\r\n").encode("cp1252"),
        flags.to_csv(index=False).encode(),
        str(lines).encode(),
        table.to_json(orient="records", indent=1).encode(),
        json.dumps(lists).encode(),
        parquet.getvalue(),
        workbook(table),
    ]


def workbook(table: Any) -> bytes:
    """The least of an .xlsx: sheets are not read, but said to be what they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", "<Types/>")
        packed.writestr("xl/worksheets/sheet1.xml", table.to_xml(index=False, parser="etree"))
    return buffer.getvalue()


@cache
def _few_pictures() -> Mapping[str, bytes]:
    return {f"train/{i}.png": encoded(picture("RGB", i, (6, 4)), "PNG") for i in range(8)}


def _read_table(data: bytes, _: Path) -> None:
    from headstart.indexing.columns import guess_columns
    from headstart.indexing.table_file import read_table
    from tests.indexed import index

    found = read_table(data, "labels.csv")
    guess_columns(found.columns, [row.cells for row in found.rows])
    label = "label" if "label" in found.columns else "*"
    settings: dict[str, Any] = {
        "labels": "labels.csv", "label_column": label, "split": "stratified", "id_suffix": "",
        "on_problem": "set_aside", "group_column": "group" if "group" in found.columns else "",
    }  # fmt: skip
    made = index(dict(_few_pictures()) | {"labels.csv": data}, **settings)
    made.counts()
    json.dumps(made.labels.classes).encode()
    "".join(made.labels.classes).encode()


def _files() -> dict[str, bytes]:
    png = encoded(picture(), "PNG")
    return {"set/a/1.png": png, "set/b/2.png": png[:99], "set/labels.csv": b"id,label\n" * 20}


@cache
def _zips() -> Seeds:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as packed:
            packed.mkdir("set")
            for name, data in _files().items():
                packed.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, method)
        found.append(buffer.getvalue())
    return found


@cache
def _tars() -> Seeds:
    found = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as packed:
            for name, data in _files().items():
                info = tarfile.TarInfo(name if form == tarfile.USTAR_FORMAT else name + "ä" * 60)
                info.size = len(data)
                packed.addfile(info, io.BytesIO(data))
        found.append(buffer.getvalue().rstrip(b"\0") + bytes(1024))
    return found


def _read_archive(suffix: str) -> Callable[[bytes, Path], None]:
    def read(data: bytes, folder: Path) -> None:
        from headstart.fetching.archives import unpack
        from headstart.fetching.local_archives import LocalArchive
        from headstart.image_files.tree import list_tree

        archive, out = folder / f"p{suffix}", folder / "out"
        archive.write_bytes(data)
        out.mkdir()
        try:
            for _ in unpack([archive], out, LocalArchive(archive)):
                pass
            list_tree(out)
        finally:
            assert {path.name for path in folder.iterdir()} == {archive.name, "out"}
            assert not any(path.is_symlink() for path in out.rglob("*"))

    return read


@cache
def _parquets() -> Seeds:
    import tempfile

    from tests.parquets import write_parquet

    found, png = [], encoded(picture(), "PNG")
    with tempfile.TemporaryDirectory() as folder:
        for i, names in enumerate(({"label": ["cat", "dog"]}, None)):
            file = Path(folder, f"{i}.parquet")
            write_parquet(file, [png, png[:-9], None, png], names, 2, label=[0, 1, 1, 0])
            found.append(file.read_bytes())
    return found


def _read_parquet(data: bytes, folder: Path) -> None:
    from headstart.fetching.parquet_pictures import write_pictures
    from headstart.fetching.parquet_sources import find_parquet

    place = folder / "set"
    place.mkdir()
    (place / "train.parquet").write_bytes(data)
    if source := find_parquet(place):
        (folder / "out").mkdir()
        for _ in write_pictures(source, folder / "out"):
            pass


@cache
def _safetensors() -> Seeds:
    from safetensors.numpy import save

    numbers = np.arange(24, dtype=np.float32)
    half, whole = numbers.astype(np.float16), numbers.astype(np.int64)
    tensors: dict[str, Any] = {"conv.weight": numbers.reshape(2, 3, 4), "bn.mean": half, "n": whole}
    return [save(tensors, {"architecture": "resnet34"}), save({"a": numbers})]


@cache
def _pickles() -> Seeds:
    import torch

    found = []
    state = {"conv.weight": torch.arange(24.0).reshape(2, 3, 4), "n": torch.tensor(3)}
    for content in (state, {"epoch": 3, "state_dict": state}):
        for zipped in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
            found.append(buffer.getvalue())
    return found


def _read_weights(suffix: str) -> Callable[[bytes, Path], None]:
    def read(data: bytes, folder: Path) -> None:
        from headstart.backbone.tensors import read_tensors
        from headstart.project.finite import not_finite

        path = folder / f"weights{suffix}"
        path.write_bytes(data)
        not_finite(read_tensors(path).tensors)

    return read


@cache
def _checkpoints() -> Seeds:
    import tempfile

    from tests.saved_networks import save_networks

    with tempfile.TemporaryDirectory() as folder:
        save_networks(Path(folder))
        return [Path(folder, f"{name}.safetensors").read_bytes() for name in ("net", "two", "many")]


def _read_checkpoint(data: bytes, folder: Path) -> None:
    from headstart.backbone.device import PLAIN_CPU
    from headstart.network.restored import restored
    from headstart.use.saved_networks import read_deciding

    path = folder / "model.safetensors"
    path.write_bytes(data)
    content = read_deciding(path)
    content.states()
    restored(content, path, PLAIN_CPU)


def _sections() -> Seeds:
    """A few sections of params.yaml at a time, because the YAML reader is slow."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    parts: list[str] = []
    for line in text.splitlines(keepends=True):
        if line[0].isalpha():
            parts.append("")
        if parts and not line.lstrip().startswith("#"):
            parts[-1] += line.split("  #")[0].rstrip() + "\n"
    hostile = ("a: &a [1, *b]\n", "b: &b {x: 1}\nc: *b\n", "d: !!set {x, y}\n", "e: 2001-01-01\n")
    return [part.encode() for part in (*parts, *hostile)]


def _read_params(data: bytes, folder: Path) -> None:
    from headstart.checks.sections import SECTIONS, model_of
    from headstart.project.params import parse_section, read_params

    path = folder / "params.yaml"
    path.write_bytes(data)
    values = read_params(path)
    for name in filter(SECTIONS.__contains__, values):
        parse_section(name, model_of(name), values, path)


def _descriptions() -> Seeds:
    return [path.read_bytes() for path in sorted((ROOT / "sources").glob("*.yaml"))]


def _read_description(data: bytes, folder: Path) -> None:

    from pydantic import Field

    from headstart.fetching.descriptions import read_description
    from headstart.fetching.image_sources import ArchiveImages, PackageImages
    from headstart.fetching.weights_sources import PackageWeights, RandomWeights, TimmWeights
    from headstart.project.located import Package, locate

    path = folder / "mine.yaml"
    path.write_bytes(data)
    problems = []
    for kinds in (PackageImages | ArchiveImages, PackageWeights | TimmWeights | RandomWeights):
        try:
            found = read_description(path, Annotated[kinds, Field(discriminator="kind")])
        except HeadstartError as error:
            problems.append(error)
        else:
            if isinstance(found, Package):
                locate(found)
    if len(problems) == 2:
        raise problems[0]


@cache
def _records() -> Seeds:
    """`records.txt` and `records.bin` of five records, one after the other."""
    from headstart.kept.places import crc_of, line_of

    kept = [bytes([i]) * 20 for i in range(5)]
    lines = b"".join(
        line_of(f"{i:032x}", len(data), crc_of(f"{i:032x}", data)) for i, data in enumerate(kept)
    )
    return [struct.pack("<I", len(lines)) + lines + b"".join(kept)]


def _read_records(data: bytes, folder: Path) -> None:
    """What is kept comes back as it was, or not at all."""
    from headstart.kept.places import DATA, LINES
    from headstart.kept.records import Records

    n = int.from_bytes(data[:4], "little") % 400
    work = folder / "work" / "records" / "key"
    work.mkdir(parents=True)
    (work / LINES).write_bytes(data[4 : 4 + n])
    (work / DATA).write_bytes(data[4 + n :])
    with Records(work, 1.0) as records:
        for i in range(5):
            assert records.get(f"{i:032x}") in (None, bytes([i]) * 20)
        records.add("new", b"new")
    with Records(work, 1.0) as records:
        assert records.get("new") == b"new"


def _gzipped() -> Seeds:
    return [gzip.compress(data, mtime=0) for data in _tars()]


READERS: Mapping[str, Reader] = {
    **{
        form.lower(): Reader(lambda form=form: _pictures(form), _read_picture)  # type: ignore[misc]
        for form in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
    },
    "table": Reader(cache(_tables), _read_table),
    "zip": Reader(_zips, _read_archive(".zip")),
    "tar": Reader(_tars, _read_archive(".tar")),
    "tgz": Reader(_gzipped, _read_archive(".tgz")),
    "parquet": Reader(_parquets, _read_parquet),
    "safetensors": Reader(_safetensors, _read_weights(".safetensors")),
    "pth": Reader(_pickles, _read_weights(".pth")),
    "checkpoint": Reader(_checkpoints, _read_checkpoint),
    "params": Reader(cache(_sections), _read_params),
    "description": Reader(cache(_descriptions), _read_description),
    "records": Reader(_records, _read_records),
}
