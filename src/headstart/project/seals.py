"""The digest that a file carries of itself, by which its reader notices damage.

A sealed file holds `headstart-sha256:` and 64 hex digits: the sha256 of the whole file, with zeros in
place of these digits. sha256 reads 1.4 GB/s on one core (0.4 without the instructions for it), which is
below 1 % of any stage, and never takes a damaged file for a whole one.
"""

import hashlib
import json
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from headstart.project.errors import HeadstartError
from headstart.project.short import first_line
from headstart.project.special_files import refuse_special
from headstart.project.workers import in_order

MARK: Final = b"headstart-sha256:"
_BLANK: Final = b"0" * 64
UNSEALED: Final = (MARK + _BLANK).decode()
"""The text that a file must hold, in a place that its format has for such, before `seal` seals it."""
KEY: Final = "seal"
"""The key under which JSON and the metadata of tensors hold the text."""

PIECE = 2**24  # bytes that a thread hashes at a time


class DamagedError(HeadstartError):
    """A file's bytes are not those that were written.

    Attributes:
        why: how it was noticed, as a clause.
    """

    def __init__(self, path: Path, why: str = "its bytes are not those that were written") -> None:
        self.why = why
        super().__init__(
            f"{path} is damaged: {why}. In a project, run `headstart verify --repair`, then "
            "`dvc repro`; elsewhere, copy the file again."
        )


def seal(path: Path, in_footer: bool = False) -> None:
    """Seal the file at `path`, which holds UNSEALED.

    Args:
        path: a file that no one else reads yet.
        in_footer: whether the format's metadata are at the file's end; the last text counts then,
            otherwise the first.

    Raises:
        ValueError: the file does not hold the text.
    """
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        at = _digits(content, in_footer)
        if at is None:
            raise ValueError(f"{path} has no place for its digest.")
        content[at : at + len(_BLANK)] = _digest(content, at)


def check_seal(path: Path, in_footer: bool = False) -> None:
    """Refuse a sealed file that is damaged. One without a seal passes.

    Earlier versions wrote files without one, and so does other software.

    Args:
        path: the file.
        in_footer: as in `seal`.

    Raises:
        DamagedError: the file is empty, or its bytes do not have the digest that it carries.
        OSError: it cannot be read, or is a pipe, a socket or a device.
    """
    refuse_special(path)
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise DamagedError(path, "it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _check(path, content, in_footer)


def check_mark(path: Path, found: str | bytes | None) -> None:
    """Refuse a file whose seal itself is damaged, so that `check_seal` did not see it.

    Args:
        path: the file.
        found: what it holds under KEY; None if it holds no such key.

    Raises:
        DamagedError: that is no seal.
    """
    text = found.encode() if isinstance(found, str) else found
    if text is not None and not text.startswith(MARK):
        raise DamagedError(path)


@contextmanager
def damage_of(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn these errors of a parser, raised in the block, into a DamagedError of `path`."""
    try:
        yield
    except FileNotFoundError:
        raise
    except errors as error:
        raise DamagedError(path, f"it cannot be read ({first_line(error)})") from None


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Read a JSON mapping, sealed or not; without its seal.

    Raises:
        DamagedError: it is sealed and damaged, or no JSON.
        HeadstartError: it holds no mapping.
    """
    refuse_special(path)
    content = path.read_bytes()
    _check(path, content, in_footer=False)
    with damage_of(path, ValueError):
        values = json.loads(content.decode("utf-8"))
    if not isinstance(values, dict):
        raise HeadstartError(f"{path} must hold a mapping of keys to values, found {values!r}.")
    check_mark(path, values.pop(KEY, None))
    return values


def content_digest(path: Path) -> str:
    """A digest (hex) of a large file, computed by several threads.

    It is the sha256 of the sha256 of each PIECE bytes. A file that cannot carry a seal (`.npy`) has it
    in the manifest beside it.
    """
    n_bytes = path.stat().st_size

    def of_piece(start: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return hashlib.sha256(file.read(PIECE)).digest()

    return hashlib.sha256(b"".join(in_order(of_piece, range(0, n_bytes, PIECE)))).hexdigest()


def _check(path: Path, content: "bytes | mmap.mmap", in_footer: bool) -> None:
    at = _digits(content, in_footer)
    if at is not None and content[at : at + len(_BLANK)] != _digest(content, at):
        raise DamagedError(path)


def _digits(content: "bytes | mmap.mmap", in_footer: bool) -> int | None:
    """Where the digits of the seal begin; None without a seal."""
    found = content.rfind(MARK) if in_footer else content.find(MARK)
    return None if found < 0 else found + len(MARK)


def _digest(content: "bytes | mmap.mmap", at: int) -> bytes:
    with memoryview(content) as view:
        digest = hashlib.sha256(view[:at])
        digest.update(_BLANK)
        digest.update(view[at + len(_BLANK) :])
    return digest.hexdigest().encode()
