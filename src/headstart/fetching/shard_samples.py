"""Reads the samples of a WebDataset shard: a tar in which files of one key, one after the other, belong
together: `0001.jpg`, `0001.cls`. Nothing is unpacked: a picture is told by its place in the tar."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from headstart.fetching.archive_entries import BROKEN, Entry, read_entries
from headstart.fetching.archives import HEADER_BYTES, safe_path
from headstart.fetching.class_folders import NO_LABEL, whole_label
from headstart.image_files.forms import HEAD_BYTES, form_of
from headstart.image_files.tree import is_hidden
from headstart.project.located import SourceError
from headstart.project.short import cut, first_line, listed

LABELS = ("cls", "txt", "json")
"""Suffixes of the files that may hold a label, the likeliest first (.txt is often a caption)."""
FIELD = "label"  # of a .json, unless the description names another
_PICTURES = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm"}
_MAX_LABEL_BYTES = 1 << 20
_WHOLE = re.compile(r"-?\d+")


class SampleRules(NamedTuple):
    """What the files of a sample mean.

    Attributes:
        picture: suffix of the picture, such as `jpg`; '': the one file that is a picture.
        label: `cls`, `txt`, or `json` with a field (`json.species`); '': the first that is there.
        classes: names of the classes by number; empty: the labels are the names.
    """

    picture: str = ""
    label: str = ""
    classes: tuple[str, ...] = ()


class Sample(NamedTuple):
    """One picture of a shard.

    Attributes:
        key: name of the sample, with the folders before it.
        suffix: of the picture's name, without the first dot.
        offset: of its first byte in the shard.
        n_bytes: its size.
        label: name of its class; '': it has none.
    """

    key: str
    suffix: str
    offset: int
    n_bytes: int
    label: str


class _File(NamedTuple):
    key: str
    suffix: str
    offset: int
    n_bytes: int
    is_picture: bool
    text: bytes


def samples_in(shard: Path, rules: SampleRules, max_files: int = 10_000_000) -> Iterator[Sample]:
    """The pictures of a shard, in its order.

    Raises:
        SourceError: the shard is unsafe or damaged, or a sample has no picture, several pictures, or a
            label that cannot be understood.
    """
    try:
        for _, files in groupby(_files(shard, max_files), key=lambda file: file.key):
            yield _sample(shard, list(files), rules)
    except SourceError:
        raise
    except BROKEN as error:
        raise SourceError(
            f"dataset.source: {shard} is a damaged tar: download it again ({first_line(error)})."
        ) from None


def _files(shard: Path, max_files: int) -> Iterator[_File]:
    n_there = shard.stat().st_size
    for n, entry in enumerate(read_entries(shard, n_there + HEADER_BYTES), start=1):
        if n > max_files:
            raise SourceError(f"dataset.source: {shard} holds more than {max_files} files.")
        path = safe_path(shard, entry)
        if entry.kind == "folder" or any(map(is_hidden, path.parts)):
            continue
        if entry.kind == "other" or entry.offset is None:
            raise SourceError(
                f"dataset.source: {shard} holds {cut(entry.name)!r}, a link, a device or a file in "
                "pieces; only plain files are allowed."
            )
        if entry.offset + entry.n_bytes > n_there:
            raise SourceError(
                f"dataset.source: {shard} ends within {cut(entry.name)!r}: download it again."
            )
        name, _, suffix = path.name.partition(".")
        key, suffix = path.with_name(name).as_posix() if name else "", suffix.lower()
        kind = suffix.rsplit(".", 1)[-1]
        head = _read(entry, _MAX_LABEL_BYTES + 1 if kind in LABELS else HEAD_BYTES)
        is_picture = form_of(head) != "" or kind in _PICTURES
        text = head if kind in LABELS else b""
        yield _File(key, suffix, entry.offset, entry.n_bytes, is_picture, text)


def _read(entry: Entry, n_bytes: int) -> bytes:
    content = entry.open()
    if content is None:
        return b""
    with content:
        return content.read(n_bytes)


def _sample(shard: Path, files: list[_File], rules: SampleRules) -> Sample:
    where = f"dataset.source: {shard}: the sample {cut(files[0].key)!r}"
    by_suffix = {file.suffix: file for file in files}
    if len(by_suffix) < len(files):
        raise SourceError(f"{where} has two files of one name.")
    if rules.picture:
        pictures = [file for file in files if file.suffix == rules.picture]
    else:
        pictures = [file for file in files if file.is_picture]
    if len(pictures) != 1:
        found = listed(f".{suffix}" for suffix in by_suffix)
        raise SourceError(
            f"{where} has {len(pictures) or 'no'} {'pictures' if pictures else 'picture'} (files: "
            f"{found})"
            + (
                f": say which is meant in a file under sources/, such as picture: {pictures[0].suffix}."
                if pictures
                else "."
            )
        )
    picture = pictures[0]
    label = _label(where, by_suffix, rules)
    return Sample(picture.key, picture.suffix, picture.offset, picture.n_bytes, label)


def _label(where: str, by_suffix: dict[str, _File], rules: SampleRules) -> str:
    """The name of the class; '' where the sample has no label."""
    suffix, _, field = rules.label.partition(".")
    suffix = suffix or next((kind for kind in LABELS if kind in by_suffix), "")
    if suffix not in by_suffix:
        return ""
    file = by_suffix[suffix]
    if file.n_bytes > _MAX_LABEL_BYTES:
        raise SourceError(f"{where}: its .{suffix} has {file.n_bytes} bytes, too many for a label.")
    try:
        text = file.text.decode().strip()
        value = _at(json.loads(text), field or FIELD) if suffix == "json" else text
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where}: its .{suffix} cannot be read: {first_line(error)}.") from None
    if isinstance(value, list | dict):
        raise SourceError(
            f"{where}: its .{suffix} has several labels ({cut(str(value))}), which are not read from "
            "shards: write the pictures into files, and their labels into a table "
            "(docs/own_pictures.md)."
        )
    if isinstance(value, float):
        value = whole_label(value, f"{where}: its .{suffix} has {field or FIELD}")
    if value is None or value == "":
        return ""
    name = str(value).lower() if isinstance(value, bool) else str(value).strip()
    return _named(f"{where}: its .{suffix}", name, rules.classes)


def _at(values: object, field: str) -> object:
    """The value of a field; of one inside others where the name has dots."""
    for name in field.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _named(where: str, name: str, classes: Iterable[str]) -> str:
    """The name of the class of a number; '' for NO_LABEL. What is no number is a name already."""
    names = list(classes)
    if not names or not _WHOLE.fullmatch(name):
        return name
    if int(name) == NO_LABEL:
        return ""
    if not 0 <= int(name) < len(names):
        raise SourceError(
            f"{where} is {name}, but {len(names)} classes are named, 0 to {len(names) - 1}."
        )
    return names[int(name)]
