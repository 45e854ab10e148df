"""The pictures that the paths of `headstart predict` name: files, folders, lists, archives."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from headstart.fetching.archives import unpack
from headstart.fetching.local_archives import ARCHIVE_SUFFIXES, limit_bytes
from headstart.image_files.forms import HEAD_BYTES, form_of
from headstart.image_files.tree import list_tree
from headstart.pictures.names import is_picture
from headstart.project.errors import HeadstartError
from headstart.project.workers import in_order

STDIN = Path("-")


class NamedPicture(NamedTuple):
    """A picture to predict, or a path that names none.

    Attributes:
        name: as the output shows it: the path that the user gave, and the path below it.
        file: where the picture lies.
        problem: why the path names no picture; empty if it names one.
    """

    name: str
    file: Path
    problem: str = ""


@dataclass(frozen=True)
class PackedPictures:
    """The rules for an archive that is unpacked for as long as it is predicted.

    Attributes:
        archive: the file.
        folder: where it is unpacked.
    """

    archive: Path
    folder: Path
    root = None
    keep = ()
    max_files = 10_000_000

    @property
    def limit_bytes(self) -> int:
        """At most half of the free bytes of the disk."""
        return limit_bytes(self.archive, self.folder)

    def remedy(self, key: str) -> str:
        """What to do where a limit is too low."""
        return "unpack it yourself, and name the folder"


def named_pictures(
    paths: Iterable[Path], lasting: ExitStack, ends: bytes = b"\n"
) -> list[NamedPicture]:
    """The pictures that `paths` name, in their order; those of a folder are sorted by path.

    A path may be a picture, a folder (with the folders below it), an archive of such a folder, or `-`
    for the paths on stdin. In folders and archives a file's content says whether it is a picture. A
    path that the user names itself always counts.

    Args:
        paths: as the user gave them.
        lasting: unpacked archives are removed when it closes.
        ends: what ends a path on stdin.
    """
    found: list[NamedPicture] = []
    for path in paths:
        named = _on_stdin(ends) if path == STDIN else [path]
        for one in named:
            found += _named_by(one, lasting)
    return found


def _on_stdin(ends: bytes) -> Iterator[Path]:
    for line in sys.stdin.buffer.read().split(ends):
        if text := line.removesuffix(b"\r"):
            yield Path(os.fsdecode(text))


def _named_by(path: Path, lasting: ExitStack) -> list[NamedPicture]:
    try:
        if path.is_dir():
            return _below(path, path)
        if path.is_file() and path.name.lower().endswith(ARCHIVE_SUFFIXES):
            folder = Path(lasting.enter_context(TemporaryDirectory(prefix="headstart-")))
            for _ in unpack([path], folder, PackedPictures(path, folder)):
                pass
            return _below(path, folder)
    except (HeadstartError, OSError) as error:
        why = getattr(error, "strerror", None) or str(error)
        why = why.removeprefix(f"{path.name} cannot be unpacked: ")
        return [NamedPicture(str(path), path, why)]
    return [NamedPicture(str(path), path)]


def _below(path: Path, folder: Path) -> list[NamedPicture]:
    """The pictures below `folder`, which stands for the user's `path`."""
    names = list(list_tree(folder).sizes)
    heads = in_order(_head, (folder / name for name in names))
    found = [
        NamedPicture(str(path / name), folder / name)
        for name, head in zip(names, heads, strict=True)
        if is_picture(name, form_of(head))
    ]
    return found or [NamedPicture(str(path), path, "it holds no picture")]


def _head(file: Path) -> bytes:
    """The first bytes of a file; none of a file that cannot be read, which its name then judges."""
    try:
        with file.open("rb") as opened:
            return opened.read(HEAD_BYTES)
    except OSError:
        return b""
