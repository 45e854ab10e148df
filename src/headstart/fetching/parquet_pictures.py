"""Reads pictures out of Parquet files, and writes those of each file into one plain tar.

In Parquet a picture has no place of its own: its bytes lie in compressed pages of many rows. In a tar
it has, so that it is read in any order, and a million pictures need no million files.

Nothing that a file says becomes a path as it is: a picture's path consists of its split, a safe name of
its class, the Parquet file's own name and the row. The names of files in it (`path`) are not read.
"""

import errno
import io
import tarfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from headstart.fetching.class_folders import NO_LABEL, ClassFolders, whole_label
from headstart.fetching.local_archives import limit_bytes
from headstart.fetching.parquet_columns import batches
from headstart.fetching.parquet_sources import ParquetImages, PicturesFile
from headstart.image_files.forms import form_of
from headstart.image_files.safe_names import safe_name
from headstart.image_files.tree import n_free_bytes
from headstart.project.located import SourceError
from headstart.project.short import first_line

N_ROWS = 64  # that are in memory

Label = str | int | float | bool | None


class Picture(NamedTuple):
    """One picture: its path (with /), and the bytes of its file, b"" where the row has none."""

    path: str
    data: bytes


def pictures_in(source: ParquetImages) -> Iterator[Picture]:
    """The pictures of all rows, below the folders <split>/<class>; without a label in <split>.

    A row without a picture gives an empty one, and bytes that are no picture get the suffix .jpg, so
    that index-images names both as pictures that it cannot read.

    Raises:
        SourceError: a file is damaged, a label has no name or is no class, or two classes would get
            one folder.
    """
    folders = ClassFolders()
    for file in source.files:
        yield from _pictures_of(source.root, file, folders)


def _pictures_of(root: Path, file: PicturesFile, folders: ClassFolders) -> Iterator[Picture]:
    place = str(root / file.path)
    stem = safe_name(file.path[: -len(".parquet")].replace("/", "-"))
    for row, data, label in _rows(place, file):
        name = _class_name(place, file, row, label)
        above = folders.above(file.split, name, f"row {row} of {place}")
        yield Picture(f"{above}/{stem}-{row:06}{_suffix(data)}", data)


def write_pictures(source: ParquetImages, folder: Path) -> Iterator[int]:
    """Write the pictures of each Parquet file into one tar below `folder`; yield how many are written.

    Raises:
        SourceError: as `pictures_in`; or no row holds a picture, or the disk is full.
    """
    folders, n, n_filled = ClassFolders(), 0, 0
    n_left = sum(limit_bytes(source.root / file.path, folder) for file in source.files)
    for file in source.files:
        target = folder / f"{file.path}.tar"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tarfile.open(target, "x", format=tarfile.GNU_FORMAT) as tar:
                for path, data in _pictures_of(source.root, file, folders):
                    n_left -= len(data)
                    if n_left < 0:
                        raise _bomb(source)
                    about = tarfile.TarInfo(
                        path
                    )  # of no time and no user: the same bytes each time
                    about.size = len(data)
                    tar.addfile(about, io.BytesIO(data))
                    tar.members.clear()  # type: ignore[attr-defined]  # a kilobyte a picture
                    n, n_filled = n + 1, n_filled + bool(data)
                    yield n
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            room = (
                f"; {n_free_bytes(folder)} bytes are free: make room and run again" if full else ""
            )
            raise SourceError(
                f"dataset.source: picture {n + 1} of {source.n_rows} cannot be written into {target} "
                f"({error.strerror}){room}."
            ) from None
    if not n_filled:
        raise SourceError(
            f"dataset.source: none of the {source.n_rows} rows of the Parquet files in {source.root} "
            "holds a picture, at most a path of one: give the folder of these pictures."
        )


def _bomb(source: ParquetImages) -> SourceError:
    return SourceError(
        f"dataset.source: the Parquet files in {source.root} unpack to far more than they hold: they "
        "may be a decompression bomb; if you trust them, write their pictures into files."
    )


def _rows(place: str, file: PicturesFile) -> Iterator[tuple[int, bytes, Label]]:
    """Number from 1, picture and label of each row."""
    pictures, labels, _ = file.columns
    wanted = [f"{pictures}.bytes", *([labels] if labels else [])]
    number = count(1)
    try:
        with pq.ParquetFile(place) as opened:
            for batch in batches(opened, N_ROWS, wanted):
                of_labels = batch.column(labels) if labels else [pa.scalar(None)] * len(batch)
                for picture, label in zip(batch.column(pictures), of_labels, strict=True):
                    found = picture.as_py() or {}
                    yield next(number), found.get("bytes") or b"", label.as_py()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SourceError(
            f"dataset.source: {place} is a damaged Parquet file: download it again "
            f"({first_line(error)})."
        ) from None


def _class_name(place: str, file: PicturesFile, row: int, label: Label) -> str:
    """The name of a label; '' where there is none."""
    names = file.columns.names
    if isinstance(label, float):
        has = f"dataset.source: row {row} of {place} has {file.columns.labels}"
        label = whole_label(label, has)
    if label is None or (names and label == NO_LABEL):
        return ""
    if isinstance(label, bool):
        return str(label).lower()
    if not names or isinstance(label, str):
        return str(label).strip()
    if not 0 <= label < len(names):
        raise SourceError(
            f"dataset.source: row {row} of {place} has {file.columns.labels} {label}, but its schema "
            f"names {len(names)} classes, 0 to {len(names) - 1}."
        )
    return names[label]


def _suffix(data: bytes) -> str:
    form = form_of(data)
    return ".jpg" if form in ("jpeg", "") else f".{form}"
