"""Finds data sets whose pictures are rows of Parquet files, as Hugging Face's `datasets` writes."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from headstart.fetching.parquet_columns import Columns, find_columns, picture_columns
from headstart.image_files.forms import HEAD_BYTES, form_of
from headstart.image_files.safe_names import safe_name
from headstart.image_files.split_names import split_named
from headstart.image_files.tree import is_hidden
from headstart.project.located import SourceError
from headstart.project.short import first_line

_SHARD = re.compile(r"(.+?)-\d+-of-\d+(?:-[0-9a-f]+)?")  # train-00000-of-00004


class PicturesFile(NamedTuple):
    """One Parquet file with a picture a row.

    Attributes:
        path: relative to the folder of the data set, with /.
        split: folder that its pictures belong into: train, valid, test, or a name of the file's own.
        n_rows: number of rows.
        columns: that hold the pictures and their labels.
    """

    path: str
    split: str
    n_rows: int
    columns: Columns


@dataclass(frozen=True)
class ParquetImages:
    """A folder whose pictures are all inside Parquet files."""

    root: Path
    files: tuple[PicturesFile, ...]

    @property
    def n_rows(self) -> int:
        """Rows of all files."""
        return sum(file.n_rows for file in self.files)


def find_parquet(root: Path, given: bool = False) -> ParquetImages | None:
    """The data set in a folder; None if no Parquet file there surely holds pictures, or a file is one.

    Args:
        root: a folder. The search ends at the first picture.
        given: whether the top folders are splits that a description gives, whatever the files
            are called.

    Raises:
        SourceError: it is a data set, but its files, splits or columns cannot be understood.
    """
    found: dict[str, tuple[pq.FileMetaData, pa.Schema, list[str]]] = {}
    problems = []
    for path in packed_alone(root, ".parquet"):
        try:
            about = pq.read_metadata(root / path)
            schema = about.schema.to_arrow_schema()
            pictures = picture_columns(root / path, schema)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            problems.append(
                f"{root / path} is a damaged Parquet file: download it again ({first_line(error)})."
            )
            continue
        if pictures:
            found[path] = about, schema, pictures
        else:
            problems.append(
                f"{root / path} holds no pictures, as those beside it do: move it away."
            )
    if not found:
        return None
    if problems:
        raise SourceError(f"dataset.source: {problems[0]}")
    splits = splits_of(root, list(found), given)
    return ParquetImages(root, tuple(
        PicturesFile(
            path, split, about.num_rows,
            find_columns(root / path, schema, pictures, of_test=split == "test"),
        )
        for split, (path, (about, schema, pictures)) in zip(splits, found.items(), strict=True)
    ))  # fmt: skip


def packed_alone(root: Path, suffix: str) -> list[str]:
    """The files of a suffix (lower case) below a folder, sorted; none if another file is a picture."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in names:
            file = Path(folder, name)
            if name.lower().endswith(suffix) and not is_hidden(name) and file.is_file():
                found.append(file.relative_to(root).as_posix())
            elif not is_hidden(name) and _is_picture(file):
                return []
    return sorted(found)


def _is_picture(file: Path) -> bool:
    try:
        if not file.is_file():  # opening a pipe would wait
            return False
        with file.open("rb") as opened:
            return form_of(opened.read(HEAD_BYTES)) != ""
    except OSError:
        return False  # told where the files are listed


def splits_of(root: Path, paths: Sequence[str], given: bool = False) -> list[str]:
    """The split of each file: by its name, else by its folder; where none has one, all are train.

    Args:
        root: folder of the data set, for sentences.
        paths: at least one, relative to it.
        given: see `find_parquet`.

    Raises:
        SourceError: the files are several data sets, or none of them is train.
    """
    suffix = PurePosixPath(paths[0]).suffix
    sets = sorted({_set_of(path) for path in paths})
    if len(sets) > 1 and not given:
        raise SourceError(
            f"dataset.source: {root} holds several data sets in the folders {_listed(sets)}: set it "
            "to one of them."
        )
    splits = [_split_of(path, given) for path in paths]
    if len(set(splits)) == 1 and split_named(splits[0]) is None:
        return ["train"] * len(paths)
    if "" in splits:
        raise SourceError(
            f"dataset.source: the name of {root / paths[splits.index('')]} says no split, but those "
            f"of others do: call it such as train-1{suffix}."
        )
    if "train" not in splits:
        raise SourceError(
            f"dataset.source: the {suffix} files of {root} have the splits {_listed(set(splits))}, but "
            f"none is train: call those to train on such as train-1{suffix}."
        )
    return splits


def _set_of(path: str) -> str:
    """The folders of a file without those that are named like splits."""
    folders = PurePosixPath(path).parts[:-1]
    return "/".join(name for name in folders if split_named(name) is None) or "."


def _split_of(path: str, given: bool) -> str:
    *folders, name = PurePosixPath(path).parts
    if given and folders and (split := split_named(folders[0])):
        return split
    stem = PurePosixPath(name).stem
    if shard := _SHARD.fullmatch(stem):
        return split_named(shard[1]) or safe_name(shard[1])
    for word in (re.sub(r"[-_.]?\d+$", "", stem), *reversed(folders)):
        if split := split_named(word):
            return split
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
