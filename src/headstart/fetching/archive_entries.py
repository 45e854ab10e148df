"""Reads the entries of a .zip, .tar, .tgz or .tar.gz, in one form for all of them."""

import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

from headstart.project.located import SourceError

MAX_HEADER_BYTES = 1 << 24  # of a tar's header of one entry, which is read into memory
_IS_UTF8 = 0x800  # flag of a zip's entry

# What the readers raise for an archive that is broken, or a zip that needs a password.
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(OSError, NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError),
)


@dataclass(frozen=True)
class Entry:
    """One entry of an archive.

    Attributes:
        name: as the archive has it, so not to be trusted.
        kind: other is a link, a device, a pipe.
        n_bytes: unpacked size that the archive states.
        position: roughly how many bytes of the archive lie before the entry.
        open: gives the content of the entry, only until the next entry is read.
        offset: of its content in a tar's bytes; None in a zip, and where a tar keeps it in pieces.
        is_guess: whether the archive does not tell the encoding of the name.
    """

    name: str
    kind: Literal["file", "folder", "other"]
    n_bytes: int
    position: int
    open: Callable[[], IO[bytes] | None]
    offset: int | None = None
    is_guess: bool = False


def read_entries(archive: Path, max_stream_bytes: int) -> Iterator[Entry]:
    """Yield the entries of `archive` in its order.

    Args:
        archive: ends in .zip, .tar, .tgz or .tar.gz.
        max_stream_bytes: limit of the unpacked bytes of a tar, headers included.

    Raises:
        SourceError: a tar is longer than that, or has an endless header.
        one of BROKEN: the archive has another format than its name says, or is damaged.
    """
    name = archive.name.lower()
    if name.endswith(".zip"):
        yield from _zip_entries(archive)
        return
    with archive.open("rb") as raw:
        stream: Any = raw if name.endswith(".tar") else gzip.GzipFile(fileobj=raw)
        bounded: Any = _Bounded(archive.name, stream, max_stream_bytes)
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            for member in tar:
                kind: Literal["file", "folder", "other"]
                kind = "file" if member.isreg() else "folder" if member.isdir() else "other"
                content = partial(tar.extractfile, member)
                offset = None if member.issparse() else member.offset_data
                yield Entry(member.name, kind, member.size, raw.tell(), content, offset)


def _zip_entries(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            if info.compress_type == zipfile.ZIP_LZMA:  # a few bytes of it may ask for 4 GB
                raise NotImplementedError(f"{info.filename!r} is compressed by LZMA")
            mode = stat.S_IFMT(info.external_attr >> 16)  # 0 where it was packed without modes
            kind: Literal["file", "folder", "other"]
            kind = "file" if mode in (0, stat.S_IFREG) else "other"
            if info.is_dir():
                kind = "folder"
            name, is_guess = _zip_name(info)
            content, position = partial(zipped.open, info), info.header_offset
            yield Entry(name, kind, info.file_size, position, content, is_guess=is_guess)


def _zip_name(info: zipfile.ZipInfo) -> tuple[str, bool]:
    """The name of an entry, and whether its encoding is a guess.

    Without the flag of UTF-8 it is cp437 by the standard. But macOS writes UTF-8 without the flag, and
    Windows the code page of its language.
    """
    if info.flag_bits & _IS_UTF8 or info.filename.isascii():
        return info.filename, False
    try:
        return info.filename.encode("cp437").decode(), False
    except UnicodeEncodeError:  # it is from an extra field in UTF-8, which newer Pythons read
        return info.filename, False
    except UnicodeDecodeError:
        return info.filename, True


class _Bounded:
    """A tar's bytes, with a limit on the bytes in all and on the bytes of one read."""

    def __init__(self, name: str, stream: IO[bytes], max_bytes: int) -> None:
        self._name, self._stream, self._max_bytes = name, stream, max_bytes

    def read(self, size: int) -> bytes:
        """Up to `size` bytes."""
        if size > MAX_HEADER_BYTES or self.tell() + size > self._max_bytes + MAX_HEADER_BYTES:
            raise SourceError(
                f"{self._name} unpacks to far more than the limits allow: it may be a decompression "
                "bomb."
            )
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        """Go to `position`, which is never far beyond the sizes that the entries state."""
        return self._stream.seek(position)

    def tell(self) -> int:
        """The position, in bytes."""
        return self._stream.tell()
