"""Section `dataset`, which names the pictures, and the files below a folder."""

import io
import os
import shutil
import stat
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from headstart.project.addresses import why_secret
from headstart.project.errors import HeadstartError
from headstart.project.section import Section

_SYSTEM_NAMES = {  # in lower case; all names that begin with a dot are hidden too
    *("thumbs.db", "desktop.ini", "__macosx"),
    *("@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"),
}


def _below(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError("it must be a path below the images folder, such as train/labels.csv")
    return path


def _without_secret(source: str) -> str:
    if why := why_secret(source):
        raise ValueError(f"it {why}")
    return source


BelowImages = Annotated[str, AfterValidator(_below)]
"""A path below the images folder, with /."""

with warnings.catch_warnings():
    # `copy` shadows pydantic's old BaseModel.copy; model_copy replaces it.
    warnings.filterwarnings("ignore", 'Field name "copy" in "DatasetParams" shadows an attribute')

    class DatasetParams(Section):
        """Section `dataset`: which pictures."""

        source: Annotated[str, AfterValidator(_without_secret)] = Field(
            min_length=1,
            description="a file under sources/ (such as sources/textile.yaml), or the absolute path "
            "of a folder of pictures, of an archive of them, or of a folder of Parquet files that "
            "hold them",
        )
        copy: bool = Field(  # type: ignore[assignment]
            description="true: copy the pictures into data/, where DVC keeps them; false: read them "
            "from their folder or package (those in archives and Parquet files are always copied)"
        )


class Place(NamedTuple):
    """Where a picture lies in a file that holds several.

    Attributes:
        shard: path of that file, relative to the source's folder, with /.
        offset: of the picture's first byte.
    """

    shard: str
    offset: int


def read_piece(shard: Path, offset: int, n_bytes: int) -> bytes:
    """Bytes out of a file; fewer where the file ends before.

    Raises:
        OSError: the file cannot be read.
    """
    with shard.open("rb") as file:
        file.seek(offset)
        return file.read(n_bytes)


@dataclass(frozen=True)
class Tree:
    """The files below a folder, or inside files below it.

    Attributes:
        root: the folder.
        sizes: bytes of each file by its path relative to `root` (with /), sorted by path.
        n_hidden: hidden and system files and folders (.DS_Store, Thumbs.db, ...), left out.
        places: where those lie that are no files of their own, by path.
    """

    root: Path
    sizes: Mapping[str, int]
    n_hidden: int
    places: Mapping[str, Place] = field(default_factory=dict)

    def origin(self, path: str) -> Path:
        """The file that holds the bytes of a listed path."""
        return self.root / (self.places[path].shard if path in self.places else path)

    def open(self, path: str) -> io.BufferedReader:
        """The bytes of a listed path.

        Raises:
            OSError: they cannot be read.
        """
        if path not in self.places:
            return self.origin(path).open("rb")
        piece = read_piece(self.origin(path), self.places[path].offset, self.sizes[path])
        # Buffered, because hashlib reads a bare BytesIO from its beginning.
        return io.BufferedReader(io.BytesIO(piece))

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes.values())

    def counts(self) -> dict[str, int]:
        """Counts for a metrics file."""
        return {"n_files": len(self.sizes), "n_bytes": self.n_bytes, "n_hidden": self.n_hidden}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden or of the system, so that it is left out."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def list_tree(root: Path) -> Tree:
    """List all files below `root`; symbolic links are followed.

    Files that are removed during the listing are left out.

    Raises:
        ValueError: `root` is no folder, a link leads nowhere or back to a folder above it, a
            name is not valid UTF-8, or a pipe, a socket or a device is among the files.
    """
    if not root.is_dir():
        raise HeadstartError(f"{root} is not a folder.")
    sizes: dict[str, int] = {}
    n_hidden = 0
    waiting: list[tuple[str, tuple[Path, ...]]] = [("", (root.resolve(),))]  # below root, above it
    while waiting:
        below, above = waiting.pop()
        for entry in _entries(root / below):
            if is_hidden(entry.name):
                n_hidden += 1
                continue
            if entry.is_symlink() and not (path := Path(entry.path)).exists():
                with suppress(FileNotFoundError):  # removed since it was listed
                    raise HeadstartError(
                        f"{path} is a link to {path.readlink()}, which does not exist."
                    )
                continue
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir():
                real = Path(entry.path).resolve()
                if real in above:
                    raise HeadstartError(
                        f"{entry.path} is a link back to {real}, a folder above it."
                    )
                waiting.append((name, (*above, real)))
                continue
            if not name.isascii() and any("\udc80" <= sign <= "\udcff" for sign in name):
                # of bytes that are not UTF-8
                raise HeadstartError(f"{root} has a file named {name!r}; rename it to valid UTF-8.")
            with suppress(FileNotFoundError):  # removed since it was listed
                about = entry.stat()
                if not stat.S_ISREG(about.st_mode):  # reading it may wait, or go on, for ever
                    raise HeadstartError(
                        f"{entry.path} is {_kind(about.st_mode)}, not a file: remove it from the "
                        "folder."
                    )
                sizes[name] = about.st_size
    return Tree(root, dict(sorted(sizes.items())), n_hidden)


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder. The system tells the kind of each with its name: no `stat` is needed."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:  # removed since it was listed
        yield from entries


def n_free_bytes(path: Path) -> int:
    """Free bytes on the disk of `path`, or of the nearest folder above it that exists."""
    for place in (path, *path.absolute().parents):
        with suppress(FileNotFoundError, NotADirectoryError):  # exists() first would be a race
            return shutil.disk_usage(place).free
    raise FileNotFoundError(path)
