"""Shards that workers have made and the driver has not yet put in order: one file each.

They lie in a work folder of the key of their records, so a driver that died goes on where it was. A
file holds its digest, the names of its pictures, and their records. Once the driver has passed the
records on, it removes the file.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from headstart.project.beside import written_beside

_SUFFIX = ".shard"


def packed(names: Sequence[str], records: Iterable[bytes]) -> bytes:
    """A shard as bytes: sha256 (hex) of the rest, a line of names and lengths, the records.

    Raises:
        ValueError: there are more or fewer records than names.
    """
    made = dict(zip(names, records, strict=True))
    about = json.dumps([[name, len(record)] for name, record in made.items()])
    rest = b"\n".join([about.encode(), b"".join(made.values())])
    return b"\n".join([hashlib.sha256(rest).hexdigest().encode(), rest])


def unpacked(shard: bytes) -> dict[str, bytes]:
    """Name -> record of each picture of a shard.

    Raises:
        ValueError: its bytes are not those that were written.
    """
    digest, _, rest = shard.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        raise ValueError("the bytes of a shard are not those that were written.")
    about, _, data = rest.partition(b"\n")
    found, end = {}, 0
    for name, n_bytes in json.loads(about):
        found[name] = data[end : end + n_bytes]
        end += n_bytes
    return found


class ShardFiles:
    """The files of one key, in a folder that this process holds; None as the folder keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._passed_on: list[Path] = []

    def present(self, names: Iterable[str]) -> Mapping[str, Path]:
        """Which whole file has the record of each of `names`; files with none of them are removed."""
        wanted, found = set(names), dict[str, Path]()
        for file in sorted(self._folder.glob(f"*{_SUFFIX}")) if self._folder else ():
            try:
                held = unpacked(file.read_bytes()).keys() & wanted
            except ValueError:
                held = set()
            if not held:
                file.unlink()
            found |= dict.fromkeys(held, file)
        return found

    def write(self, shard: bytes) -> Path | None:
        """Keep a shard; its file appears whole or not at all."""
        if self._folder is None:
            return None
        file = self._folder / f"{shard[:16].decode()}{_SUFFIX}"
        with written_beside(file) as partial:
            partial.write_bytes(shard)
        return file

    def passed_on(self, file: Path | None) -> None:
        """Remove the files before this one, whose records the caller keeps by now.

        The last one stays a little longer: what the caller keeps reaches the disk a moment later.
        """
        for old in self._passed_on:
            old.unlink(missing_ok=True)
        self._passed_on = [file] if file else []

    def all_passed_on(self) -> None:
        """Remove all files."""
        self.passed_on(None)
