"""Records that lie in an out of a stage, so that they need no second place on the disk.

The out of a stage holds the record of each picture, byte for byte, and DVC keeps each version of an
out in its cache, as a file named by its MD5. So the work folder of a key stores only where each record
lies in such a file. `<md5>.out` begins with the file's size, and with its path if the file is not an
out of DVC's and stays where it is. Then comes a line for each record: id, first byte, length, CRC-32.
If the file is deleted (`dvc gc`), the records are made again.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from headstart.kept.places import Place, crc_of, drop
from headstart.project.beside import written_beside

_N_OUTS = 3  # newest outs kept of a key: each fold, say, has records that the others lack
_SUFFIX = ".out"


class Part(NamedTuple):
    """The records of one key in an out, in the order in which they were asked for.

    Attributes:
        file: a file of the out.
        starts: first byte of each record in the file.
        n_bytes: length of each record.
    """

    file: Path
    starts: Sequence[int]
    n_bytes: Sequence[int]


class OutFile(NamedTuple):
    """A version of an out, opened, and where its records lie."""

    file: BinaryIO
    places: Mapping[str, Place]


def file_md5(file: Path) -> str:
    """The digest (hex) under which DVC keeps a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def remember_out(
    folder: Path, md5: str, ids: Sequence[str], part: Part, stays: bool = False
) -> None:
    """Remember in `folder` where the records of `ids` lie; forget all but the newest few outs.

    Args:
        folder: work folder of the key.
        md5: digest (hex) of the file.
        ids: of the records, in the order of `part`.
        part: where the records lie.
        stays: whether the file stays where it is; otherwise its copy in DVC's cache is read later.

    Raises:
        ValueError: `part` has more or fewer records than `ids`.
    """
    with (
        part.file.open("rb") as file,
        written_beside(folder / f"{md5}{_SUFFIX}") as partial,
        partial.open("w", encoding="utf-8", newline="\n") as lines,
    ):
        n_bytes = os.fstat(file.fileno()).st_size
        lines.write(f"{n_bytes} {os.path.relpath(part.file, folder) if stays else ''}\n")
        rows = zip(ids, part.starts, part.n_bytes, strict=True)
        for picture, start, length in rows:
            crc = crc_of(picture, os.pread(file.fileno(), length, start))
            lines.write(f"{picture} {start} {length} {crc:08x}\n")
    for old in _newest_first(folder)[_N_OUTS:]:
        old.unlink(missing_ok=True)


def open_outs(folder: Path) -> list[OutFile]:
    """The outs that `folder` remembers and DVC still keeps, the newest first."""
    found = []
    for lines in _newest_first(folder):
        with suppress(OSError, ValueError):  # the file is gone, or the lines are not whole
            found.append(_open(lines))
    return found


def drop_held(folder: Path) -> None:
    """Drop a folder's own records that an out holds too.

    The others stay, such as records of an interrupted run.
    """
    outs = open_outs(folder)
    for out in outs:
        out.file.close()
    drop(folder, [out.places for out in outs])


def has_outs(folder: Path) -> bool:
    """Whether `folder` remembers any out."""
    return bool(_newest_first(folder))


def _open(lines: Path) -> OutFile:
    with lines.open(encoding="utf-8") as rows:
        n_bytes, _, path = rows.readline().rstrip("\n").partition(" ")
        file = (lines.parent / path if path else _cached(lines.stem)).open("rb")
        try:
            if os.fstat(file.fileno()).st_size != int(n_bytes):
                raise ValueError(f"{file.name} does not have the size that {lines} gives.")
            fields = (row.split() for row in rows)
            places = {i: Place(int(start), int(n), int(crc, 16)) for i, start, n, crc in fields}
        except BaseException:
            file.close()
            raise
    return OutFile(file, places)


def _cached(md5: str) -> Path:
    cache = dvc_cache()
    if cache is None:
        raise FileNotFoundError("there is no DVC cache.")
    return cache / md5[:2] / md5[2:]


def _newest_first(folder: Path) -> list[Path]:
    def age(file: Path) -> int:
        return -file.stat().st_mtime_ns

    return sorted(folder.glob(f"*{_SUFFIX}"), key=age)


def dvc_cache() -> Path | None:
    """The folder of DVC's cache that holds files by their MD5; None outside a DVC project."""
    return _dvc_cache(Path(os.environ.get("DVC_ROOT", ".")).absolute())


@cache
def _dvc_cache(root: Path) -> Path | None:
    if not (root / ".dvc").is_dir():
        return None
    from dvc.config import Config  # late: takes a moment, and only outs need it

    folder = Config(str(root / ".dvc"))["cache"].get("dir")
    return Path(folder or root / ".dvc/cache", "files/md5")
