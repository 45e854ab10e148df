"""Unpacks archives of pictures without trusting them.

Only plain files are written, each once, each below the folder. Whatever else an archive asks for (a
path out of the folder, a link, a device, a second file of one name, more bytes or files than it may
hold) is an error. An entry that the source does not keep is not written, whatever it is.
"""

import errno
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from headstart.fetching.archive_entries import BROKEN, Entry, read_entries
from headstart.image_files.tree import n_free_bytes
from headstart.project.located import SourceError
from headstart.project.short import cut, first_line, listed, printable

PIECE_BYTES = 1 << 18
HEADER_BYTES = 4096  # per entry of a tar: its header, a long name, the padding


class Rules(Protocol):
    """What is unpacked, and how much at most."""

    @property
    def root(self) -> str | None:
        """Folder inside the archives that becomes the folder of pictures; None: all of it."""

    @property
    def keep(self) -> tuple[str, ...]:
        """Files and folders below root; empty: everything."""

    @property
    def limit_bytes(self) -> int:
        """Limit of the unpacked bytes of all archives, asked for before anything is written."""

    @property
    def max_files(self) -> int:
        """Limit of files and folders, kept or not."""

    def remedy(self, key: str) -> str:
        """What to do where `max_files` or `max_unpacked_bytes` is too low for an archive."""


def unpack(archives: Sequence[Path], folder: Path, source: Rules) -> Iterator[int]:
    """Write the files that `source` keeps below `folder`; yield how many bytes of `archives` are read.

    A line on stderr tells of a zip that does not say how its names are encoded.

    Args:
        archives: files that end in .zip, .tar, .tgz or .tar.gz.
        folder: empty; what lies in it after an error is of no use.
        source: names the root, the files and folders to keep below it, and the limits.

    Raises:
        SourceError: an archive is unsafe or broken, or lacks a file to keep; or the disk is full.
    """
    n_entries = n_bytes = n_before = 0
    missing, tops = set(source.keep), set[str]()
    limit_bytes = source.limit_bytes  # once: what is written takes free space
    max_stream_bytes = limit_bytes + source.max_files * HEADER_BYTES
    for archive in archives:
        guesses = list[str]()
        try:
            for entry in read_entries(archive, max_stream_bytes):
                n_entries, n_bytes = n_entries + 1, n_bytes + entry.n_bytes
                _check_limits(archive, source, limit_bytes, n_entries, n_bytes)
                path = safe_path(archive, entry)
                tops.add((path.parts or (".",))[0])
                inside = _inside(path, source)
                if inside is None or entry.kind == "folder":
                    continue
                _write(archive, entry, folder / inside)
                if entry.is_guess:
                    guesses.append(entry.name)
                missing -= {str(part) for part in (inside, *inside.parents)}
                yield n_before + entry.position
        except SourceError:
            raise
        except BROKEN as error:
            why = getattr(error, "strerror", None) or first_line(error)
            raise SourceError(
                f"{archive.name} cannot be unpacked: {why}; pack or download it again."
            ) from None
        if guesses:
            _tell_guesses(archive, guesses)
        n_before += archive.stat().st_size
    if missing or not any(folder.iterdir()):
        names = ", ".join(archive.name for archive in archives)
        raise SourceError(
            f"{names}: there is no file {', '.join(sorted(missing)) or 'at all'}"
            f"{f' below {source.root}' if source.root else ''}; at the top: "
            f"{listed(sorted(tops)) or 'nothing'}."
            + (
                " Correct root and keep in the file under sources/."
                if source.root or missing
                else ""
            )
        )


def _check_limits(
    archive: Path, source: Rules, limit_bytes: int, n_entries: int, n_bytes: int
) -> None:
    for n, limit, unit, key in (
        (n_entries, source.max_files, "files", "max_files"),
        (n_bytes, limit_bytes, "bytes", "max_unpacked_bytes"),
    ):
        if n > limit:
            raise SourceError(
                f"{archive.name} unpacks to more than {limit} {unit}: it may be a decompression "
                f"bomb; if you trust it, {source.remedy(key)}."
            )


def _tell_guesses(archive: Path, names: Sequence[str]) -> None:
    """Say that names may be wrong, before folders of them become classes."""
    print(
        f"{archive.name} does not tell the encoding of {len(names)} names, which are read as English "
        f"Windows writes them, such as {cut(printable(names[0]))!r}. If that is wrong, unpack it with "
        "the right encoding, and name the folder instead (for Japanese: python -m zipfile "
        f"--metadata-encoding cp932 -e {archive.name} FOLDER).",
        file=sys.stderr,
    )


def safe_path(archive: Path, entry: Entry) -> PurePosixPath:
    """The path of an entry, after a check that it stays below the folder."""
    path = PurePosixPath(entry.name)
    if any("\udc80" <= sign <= "\udcff" for sign in entry.name):  # of bytes that are not UTF-8
        raise SourceError(
            f"{archive.name} holds {cut(entry.name)!r}; rename it to valid UTF-8 and pack again."
        )
    if path.is_absolute() or ".." in path.parts or re.search(r"^[A-Za-z]:|[\\\0]", entry.name):
        raise SourceError(
            f"{archive.name} holds {cut(entry.name)!r}; a path must be relative, with / and "
            "without '..'."
        )
    return path


def _inside(path: PurePosixPath, source: Rules) -> PurePosixPath | None:
    """`path` relative to the root, or None where it is not kept."""
    root = PurePosixPath(source.root or ".")
    if not path.is_relative_to(root) or path == root:
        return None
    path = path.relative_to(root)
    if source.keep and not any(path.is_relative_to(kept) for kept in source.keep):
        return None
    return path


def _write(archive: Path, entry: Entry, target: Path) -> None:
    """Write one file that does not exist yet, of exactly the size that the archive states."""
    content = entry.open() if entry.kind == "file" else None
    if content is None:
        raise SourceError(
            f"{archive.name} holds {cut(entry.name)!r}, a link or device; only files and folders "
            "are allowed."
        )
    n = 0
    try:
        with content:
            if entry.n_bytes > (n_free := n_free_bytes(target)):
                raise OSError(errno.ENOSPC, f"{n_free} bytes are free")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                while piece := content.read(PIECE_BYTES):
                    n += len(piece)
                    if n > entry.n_bytes:
                        break
                    file.write(piece)
    except (FileExistsError, NotADirectoryError):
        raise SourceError(
            f"{archive.name} holds {cut(entry.name)!r}, whose path another file already takes."
        ) from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise SourceError(
                f"{archive.name} holds {cut(entry.name)!r}, a name too long for this disk: shorten "
                "it and pack again."
            ) from None
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SourceError(
            f"{archive.name}: the disk is full at {cut(entry.name)!r}, which needs {entry.n_bytes} "
            f"bytes; {n_free_bytes(target)} are free in {target.parent}. Make room and run again: the "
            "archive is kept."
        ) from None
    if n != entry.n_bytes:
        raise SourceError(
            f"{archive.name}: {cut(entry.name)!r} does not have the {entry.n_bytes} bytes that the "
            "archive states."
        )
