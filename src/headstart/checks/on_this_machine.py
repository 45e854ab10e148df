"""Checks that the pictures, tables and weights that params.yaml names are on this machine.

They are looked for, not read, except for the metadata of a file of weights.
"""

import re
from collections.abc import Iterator, Mapping
from glob import escape
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from headstart.fetching.image_sources import ArchiveImages, ImagesSource, read_images_source
from headstart.fetching.local_archives import LocalArchive
from headstart.fetching.parquet_sources import ParquetImages
from headstart.fetching.remote_sources import RemoteImages
from headstart.fetching.shard_sources import ShardImages
from headstart.fetching.weights_sources import (
    PackageWeights,
    read_weights_source,
    same_architecture,
)
from headstart.image_files.tree import BelowImages, is_hidden
from headstart.indexing.params import NO_TABLE
from headstart.indexing.several_tables import tables_named
from headstart.indexing.table_paths import ANY
from headstart.project.located import SourceError, UserPath, locate

IN_THE_PICTURES = {
    "index_images.labels": Path.is_file,
    "index_images.csv_folder": Path.is_dir,
    "write_submission.sample": Path.is_file,
}
"""Keys that name a path inside the source of the pictures -> test that the path must pass."""

_UNSEEN = ArchiveImages | RemoteImages | LocalArchive | ParquetImages | ShardImages
"""Sources in whose folders nobody can look before they are fetched, unpacked or read."""

_LABELS = "index_images.labels"
_CSV_FOLDER = "index_images.csv_folder"
_OF_A_TABLE = (_LABELS, _CSV_FOLDER)


def missing_here(values: Mapping[str, Any], path: Path, absent: bool) -> Iterator[str]:
    """Sentences about missing sources, and about weights of another network than `backbone.name`.

    Args:
        values: the content of the params file; a key that is missing or wrong is skipped.
        path: of that file, for the sentences.
        absent: whether to report a source that does not exist at all. A machine that only continues
            from cached activations needs no sources.
    """
    for key, look in (("dataset.source", _pictures), ("backbone.weights", _weights)):
        try:
            yield from (f"{path}: {problem}" for problem in look(values))
        except SourceError as error:
            for line in str(error).splitlines() if absent else ():
                yield f"{path}: {line}" if line.startswith(key) else f"{path}: {key}: {line}"


def _pictures(values: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about paths that are missing in the source of the pictures.

    Raises:
        SourceError: the source itself is missing.
    """
    if not (name := text_at(values, "dataset.source")):
        return
    source = read_images_source(name)
    where = name
    if not isinstance(source, _UNSEEN):
        where = str(locate(source))
    for key, is_right in IN_THE_PICTURES.items():
        value = text_at(values, key)
        if not value or (key in _OF_A_TABLE and text_at(values, _LABELS) in NO_TABLE):
            continue
        if key == _CSV_FOLDER and value == ANY:
            continue
        if not _is_below(value):  # the check of its section says so
            continue
        if not _holds(source, value, is_right, several=key == _LABELS and "*" in value):
            kind = "folder" if is_right is Path.is_dir else "file"
            yield f"{key} is {value!r}, but dataset.source ({where}) has no such {kind}."


def _is_below(value: str) -> bool:
    """Whether a section takes the value as a path below the folder of the pictures."""
    try:
        TypeAdapter(BelowImages).validate_python(value)
    except ValidationError:
        return False
    return True


def _holds(source: ImagesSource, name: str, is_right: Any, several: bool) -> bool:
    """Whether the source holds a file or folder; for archives, whether extraction keeps it.

    Args:
        source: of the pictures.
        name: path of the file or folder.
        is_right: test that the path must pass.
        several: whether * in it stands for any name.
    """
    if isinstance(source, LocalArchive) or (
        isinstance(source, RemoteImages) and source.form == "files"
    ):
        return True  # fetch-images finds out
    if isinstance(source, ArchiveImages):
        wanted = PurePosixPath(name)
        if several:
            return True  # which folders there are is known once they are unpacked
        kept = [PurePosixPath(part) for part in source.keep]
        return not kept or any(
            wanted.is_relative_to(part) or part.is_relative_to(wanted) for part in kept
        )
    if isinstance(source, ParquetImages | ShardImages | RemoteImages):
        return False  # only pictures are written out
    folder = locate(source)
    return is_right(folder / name) or (several and _has_tables(folder, name))


def _has_tables(folder: Path, labels: str) -> bool:
    """Whether `labels`, with * in it, names a file in the way that index-images reads it."""
    pattern = "*".join(map(escape, re.split(r"\*+", labels)))  # ** means the same as *
    files = [path.relative_to(folder) for path in folder.glob(pattern) if path.is_file()]
    listed = [file.as_posix() for file in files if not any(map(is_hidden, file.parts))]
    return bool(tables_named(labels, listed))


def _weights(values: Mapping[str, Any]) -> Iterator[str]:
    """A sentence if the weights say that they belong to another network.

    Raises:
        SourceError: the weights are missing or damaged.
    """
    if not (value := text_at(values, "backbone.weights")):
        return
    source, name = read_weights_source(value), text_at(values, "backbone.name")
    said = name
    if isinstance(source, PackageWeights):
        locate(source)
        said = source.architecture
    elif isinstance(source, UserPath) and source.path.suffix == ".safetensors":
        said = _architecture(source.path) or name
    if name and said and not same_architecture(said, name):
        yield (
            f"backbone.weights is {value!r}, which holds weights of {said}, but backbone.name is "
            f"{name!r}."
        )


def _architecture(path: Path) -> str | None:
    """The architecture in the metadata of a .safetensors file; None if there is none."""
    try:
        with safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get("architecture")
    except (SafetensorError, OSError) as error:
        raise SourceError(f"backbone.weights is {str(path)!r}, which is damaged: {error}") from None


def text_at(values: Mapping[str, Any], key: str) -> str:
    """The text at a dotted key, '' where there is none."""
    section, _, name = key.partition(".")
    found = values.get(section)
    text = found.get(name) if isinstance(found, dict) else None
    return text if isinstance(text, str) else ""
