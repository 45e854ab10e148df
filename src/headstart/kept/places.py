"""Where records lie in a file, and how records in a key's own work folder are read and dropped.

`records.bin` holds the records, one after the other. `records.txt` holds a line for each record: id,
length, CRC-32.
"""

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from headstart.project.beside import written_beside

DATA, LINES = "records.bin", "records.txt"


class Place(NamedTuple):
    """Where a record lies in a file."""

    start: int
    n_bytes: int
    crc: int

    def read(self, file: BinaryIO, picture: str) -> bytes | None:
        """The record of this picture, from any thread; None where its bytes are not those written."""
        if self.start < 0 or not 0 <= self.n_bytes <= os.fstat(file.fileno()).st_size - self.start:
            return None
        data = os.pread(file.fileno(), self.n_bytes, self.start)
        return data if crc_of(picture, data) == self.crc else None


class OwnPlaces(NamedTuple):
    """The records of a folder, up to the first incomplete one.

    Attributes:
        places: by picture id.
        end: bytes of `records.bin` up to the end of the last record.
        n_line_bytes: bytes of `records.txt` up to the end of its line.
    """

    places: dict[str, Place]
    end: int
    n_line_bytes: int


def crc_of(picture: str, data: bytes) -> int:
    """CRC-32 of a record and of the picture's id, so that a damaged id gets no other's record."""
    return zlib.crc32(data, zlib.crc32(picture.encode()))


def line_of(picture: str, n_bytes: int, crc: int) -> bytes:
    """The line of a record in `records.txt`."""
    return f"{picture} {n_bytes} {crc:08x}\n".encode()


def own_places(folder: Path) -> OwnPlaces:
    """Read the lines of a folder that has both files."""
    n_bytes = (folder / DATA).stat().st_size
    places: dict[str, Place] = {}
    end = n_line_bytes = 0
    with (folder / LINES).open("rb") as lines:
        for line in lines:
            try:
                picture, length, crc = line.decode().removesuffix("\n").split(" ")
                place = Place(end, int(length), int(crc, 16))
            except ValueError:
                break
            if not line.endswith(b"\n") or not 0 <= place.n_bytes <= n_bytes - end:
                break
            places[picture] = place
            end += place.n_bytes
            n_line_bytes += len(line)
    return OwnPlaces(places, end, n_line_bytes)


def drop(folder: Path, held: Sequence[Mapping[str, Place]]) -> None:
    """Drop the records of a folder that one of `held` has too.

    The others stay, such as records of an interrupted run.
    """
    if not held or not (folder / LINES).exists() or not (folder / DATA).stat().st_size:
        return
    places = own_places(folder).places
    left = {i: place for i, place in places.items() if not any(i in others for others in held)}
    if len(left) == len(places):
        return
    with (  # after a kill between the two renames no CRC-32 fits: records are made again
        written_beside(folder / DATA) as partial_data,
        written_beside(folder / LINES) as partial_lines,
        (folder / DATA).open("rb") as data,
        partial_data.open("wb") as new_data,
        partial_lines.open("wb") as new_lines,
    ):
        for picture, place in left.items():
            if (record := place.read(data, picture)) is not None:
                new_data.write(record)
                new_lines.write(line_of(picture, place.n_bytes, place.crc))
