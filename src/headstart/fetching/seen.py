"""What a source on this machine holds now, by content. Only files that have changed are read.

DVC cannot have a folder that may be absent as a dependency: it removes the outs of a stage, and then
finds no folder. So a stage that always runs looks at the source, and its out is the dependency.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from headstart.fetching.image_sources import tree_digest
from headstart.image_files.tree import list_tree
from headstart.project.beside import written_beside
from headstart.project.located import SourceError
from headstart.project.work import make_work_place, note_place
from headstart.project.workers import in_order

_YOUNG_S = 2.0  # a file that changed so recently may change again within one tick of its clock


class Seen(NamedTuple):
    """What a file or a folder holds.

    Attributes:
        n_files: number of files, without hidden ones.
        n_bytes: size of all of them.
        sha256: hex; of a folder the `tree_digest`, of a file that of its bytes.
    """

    n_files: int
    n_bytes: int
    sha256: str


Stamp = tuple[int, int, int]  # size in bytes, time of the last change in ns, inode


def seen(path: Path, deep: bool = False) -> Seen | None:
    """What `path` holds; None if it does not exist.

    The digest of each file is kept in the work folder with the file's size, time and inode, as DVC
    does. An edit that keeps all three is not seen unless `deep`, when every byte is read.

    Raises:
        SourceError: a file cannot be read.
        HeadstartError: as `list_tree`.
    """
    if not path.exists():
        return None
    names = [""] if path.is_file() else list_tree(path).sizes
    files = {name: path / name for name in names}
    note = note_place("seen", {"path": str(path.absolute())})
    known = {} if deep else _read(note)
    digests = dict(zip(files, in_order(partial(_digest, known), files.items()), strict=True))
    if not deep and digests != known:
        _write(note, digests)
    n_bytes = sum(stamp[0] for stamp, _ in digests.values())
    of_files = {name: sha256 for name, (_, sha256) in digests.items()}
    return Seen(len(files), n_bytes, of_files.get("") or tree_digest(of_files))


def _digest(known: Mapping[str, tuple[Stamp, str]], item: tuple[str, Path]) -> tuple[Stamp, str]:
    name, file = item
    try:
        stamp = _stamp(file)
        if name in known and known[name][0] == stamp:
            return known[name]
        with file.open("rb") as opened:
            return stamp, hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(
            f"{file} cannot be read ({error.strerror}); make it readable, or remove it."
        ) from None


def _stamp(file: Path) -> Stamp:
    about = file.stat()
    return about.st_size, about.st_mtime_ns, about.st_ino


def _read(note: Path) -> dict[str, tuple[Stamp, str]]:
    """The digests in a note; none if there is no whole note."""
    try:
        rows = json.loads(note.read_text(encoding="utf-8"))
        return {name: ((n, ns, inode), sha256) for name, n, ns, inode, sha256 in rows}
    except (OSError, ValueError, TypeError):
        return {}


def _write(note: Path, digests: Mapping[str, tuple[Stamp, str]]) -> None:
    young = time.time_ns() - int(_YOUNG_S * 1e9)
    rows = [[name, *stamp, sha256] for name, (stamp, sha256) in digests.items() if stamp[1] < young]
    make_work_place(note.parent)
    with written_beside(note, shared=True) as partial_note:
        partial_note.write_text(json.dumps(rows), encoding="utf-8")
