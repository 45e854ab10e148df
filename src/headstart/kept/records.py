"""Keeps the records made for each picture, so that no later run makes them again.

The work folder of a key holds two files that only grow: the records, one after the other, and a line
for each record: id, length, CRC-32. An incomplete record that an interrupted run left is dropped when
the files are opened. A record whose CRC-32 does not fit is made again. So an interrupted run goes on
where it stopped, and the next run makes only what is new: new pictures, another fold. When DVC keeps an
out that holds the same records, they are read from there (kept/outs.py) and dropped here. The same goes
for records in the file of smaller copies.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from headstart.kept.once import Known, NothingKnown, Once, of_bytes
from headstart.kept.outs import drop_held, has_outs, open_outs
from headstart.kept.places import DATA, LINES, crc_of, drop, line_of, own_places
from headstart.kept.room import RECORDS, make_room, used_now, wanted_gb
from headstart.project.work import work_folder

Row = NDArray[np.float32]


def made_once(
    shaped_by: Mapping[str, Any],
    ids: Sequence[str],
    make: Callable[[Sequence[str]], Iterable[bytes]],
) -> Iterator[bytes]:
    """The record of each id, in the order of `ids`: from an earlier run, or made now and kept.

    A `kept.once.Once` of bytes.

    Raises:
        ValueError: `make` gives more or fewer records than it was asked for; or as `known_records`.
    """
    with known_records(shaped_by) as records:
        new = [picture for picture in ids if picture not in records]
        made = iter(make(new)) if new else iter(())
        for picture in ids:
            if picture in records:
                yield records.get(picture) or _only(make([picture]))
                continue
            data = next(made, None)
            if data is None:
                raise ValueError(
                    f"make gave fewer records than the {len(new)} that it was asked for."
                )
            records.add(picture, data)
            yield data
        if next(made, None) is not None:
            raise ValueError(f"make gave more records than the {len(new)} that it was asked for.")


def _only(made: Iterable[bytes]) -> bytes:
    (data,) = made
    return data


def rows_once(sha256: Mapping[str, str], once: Once[bytes] = made_once) -> Once[Row]:
    """Adapt `once` to rows of float32 that are made from stored pictures.

    Args:
        sha256: digest (hex) of the stored bytes of each picture, by id.
        once: keeps bytes.
    """
    once = of_bytes(once, sha256)

    def once_a_row(
        shaped_by: Mapping[str, Any],
        ids: Sequence[str],
        make: Callable[[Sequence[str]], Iterable[Row]],
        /,
    ) -> Iterator[Row]:
        key = {"of": "rows", **shaped_by}
        for data in once(key, ids, lambda new: (row.tobytes() for row in make(new))):
            yield np.frombuffer(data, np.float32)

    return once_a_row


@contextmanager
def known_records(
    shaped_by: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> Iterator[Known]:
    """The records of a key, held by one process at a time.

    If all keys together need more than HEADSTART_KEEP_GB (from `environment`; 0 keeps nothing),
    folders of other keys are removed (see `kept/room.py`).

    Args:
        shaped_by: JSON values: all that determines a record besides the picture, with its "code".
        environment: environment variables.

    Raises:
        ValueError: HEADSTART_KEEP_GB is no number of at least 0, or the key has no "code".
    """
    wanted = wanted_gb(environment)
    if wanted == 0:
        yield NothingKnown()
        return
    with records_folder(shaped_by) as folder:
        _drop_in_others(folder)  # first, as what is dropped needs no room
        with Records(folder, wanted) as records:
            yield records


def records_folder(shaped_by: Mapping[str, Any]) -> AbstractContextManager[Path]:
    """The work folder of a key, held by one process at a time.

    Raises:
        ValueError: the key has no "code".
    """
    if "code" not in shaped_by:
        raise ValueError(
            f'the key {dict(shaped_by)} must have "code", the digest of what makes the records.'
        )
    return work_folder(RECORDS, shaped_by)


def keeps_records() -> bool:
    """Whether anything is kept at all (HEADSTART_KEEP_GB)."""
    return wanted_gb(os.environ) != 0


class Records:
    """Id -> bytes, in a folder that one process holds. All such folders share one size limit.

    `picture in records` says whether the picture had a record when the folder was opened.
    """

    def __init__(self, folder: Path, wanted_gb: float | None) -> None:
        used_now(folder)
        self._folder, self._wanted_gb = folder, wanted_gb
        self._outs = open_outs(folder)
        drop(folder, [out.places for out in self._outs])
        self._data = (folder / DATA).open("a+b")
        self._lines = (folder / LINES).open("a+b")
        self._own, self._end, n_line_bytes = own_places(folder)
        self._data.truncate(self._end)
        self._lines.truncate(n_line_bytes)
        self._room, self._full = self._made_room(self._end), False

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._data, self._lines, *(out.file for out in self._outs)):
            file.close()

    def __contains__(self, picture: str) -> bool:
        return picture in self._own or any(picture in out.places for out in self._outs)

    def get(self, picture: str) -> bytes | None:
        """The record of a picture; None where there is none, or its bytes are not those written."""
        for file, places in ((self._data, self._own), *self._outs):
            place = places.get(picture)
            if place and (data := place.read(file, picture)) is not None:
                return data
        return None

    def add(self, picture: str, data: bytes) -> None:
        """Append a record for later runs, unless there is no room."""
        end = self._end + len(data)
        if end > self._room and not self._full:
            self._room = self._made_room(end)
            self._full = end > self._room
        if not self._full:
            self._data.write(data)
            self._lines.write(line_of(picture, len(data), crc_of(picture, data)))
            self._end = end

    def _made_room(self, n_bytes: int) -> int:
        # Ask the open file: somebody may have removed the folder, which must cost only time.
        n_free = shutil.disk_usage(self._data.fileno()).free
        return make_room(self._folder, n_bytes, self._wanted_gb, n_free)


def _drop_in_others(folder: Path) -> None:
    """Drop from all other folders the records that DVC has kept since their stages ended."""
    for other in folder.parent.glob("*"):
        with suppress(FileNotFoundError, NotADirectoryError, Timeout):
            if other == folder or not (other / DATA).stat().st_size or not has_outs(other):
                continue
            with FileLock(other.with_name(f"{other.name}.lock"), timeout=0):
                drop_held(other)
