"""Downloads archives: resumes interrupted ones, and renames them only when the checksum is right."""

import errno
import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import requests
import urllib3

from headstart.fetching.image_sources import Archive
from headstart.image_files.tree import n_free_bytes
from headstart.project.located import SourceError

N_TRIES = 5  # tries in a row that bring no byte
WAIT_S = 1.0  # after the first such try; each further wait is twice as long
TIMEOUT_S = (10.0, 60.0)  # to connect, and between two pieces
PIECE_BYTES = 1 << 18
_FULL = (errno.ENOSPC, errno.EDQUOT)


class _BrokenOffError(Exception):
    """This try failed; another one may succeed."""


def download(archive: Archive, target: Path) -> Iterator[int]:
    """Fetch `archive` to `target`; yield how many bytes are there, those of earlier runs included.

    The bytes gather in `<target>.part`, which is renamed when size and checksum are right. If the
    server cannot resume, the download begins anew, and so do the yielded numbers.

    Raises:
        SourceError: the server refuses (404, ...) or fails again and again; size or checksum are
            not those promised (the part is removed); the disk is full (the part is kept).
    """
    part = target.with_name(target.name + ".part")
    n_failed = 0
    while (n_there := _size(part)) < archive.n_bytes:
        if archive.n_bytes - n_there > n_free_bytes(part):
            raise _full(archive, part)
        try:
            yield from _pieces(archive, part)
        except _BrokenOffError as error:
            n_failed = 1 if _size(part) > n_there else n_failed + 1
            if n_failed == N_TRIES:
                raise SourceError(
                    f"{archive.url} could not be fetched in {N_TRIES} tries: {error}. The part "
                    f"fetched so far ({_size(part)} of {archive.n_bytes} bytes) is kept; run again to "
                    "resume."
                ) from None
            time.sleep(WAIT_S * 2 ** (n_failed - 1))
    _verify(archive, part)
    part.replace(target)


def _pieces(archive: Archive, part: Path) -> Iterator[int]:
    """Append one answer of the server to `part`; yield the size of `part` after each piece."""
    n = _size(part)
    # identity: the bytes as they are stored, because some servers call a .tgz a compressed .tar. No
    # If-Range is needed, since a file that has changed in between cannot have the checksum.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={n}-"} if n else {})
    try:
        with requests.get(archive.url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            n = _begin(archive, part, answer)
            with part.open("ab" if n else "wb") as file:
                for piece in answer.raw.stream(PIECE_BYTES, decode_content=False):
                    n += len(piece)
                    if n > archive.n_bytes:
                        raise _wrong_size(archive, part, f"more than {archive.n_bytes}")
                    file.write(piece)
                    yield n
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        raise _BrokenOffError(str(error)) from None
    except requests.RequestException as error:
        raise SourceError(f"{archive.url} could not be fetched: {error}") from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _full(archive, part) from None
    if n < archive.n_bytes:  # an answer that did not say how long it is
        raise _BrokenOffError(f"the server stopped sending after {n} bytes")


def _begin(archive: Archive, part: Path, answer: requests.Response) -> int:
    """Where in the file the answer begins: at the end of `part`, or at 0."""
    code, said = answer.status_code, f"the server answered {answer.status_code} {answer.reason}"
    if code in (408, 429) or code >= 500:
        raise _BrokenOffError(said)
    if code == 200:
        start, total = 0, answer.headers.get("Content-Length", "")
    elif code in (206, 416):
        found = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", answer.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != _size(part):
            part.unlink(missing_ok=True)  # not the piece that was asked for: from the beginning
            raise _BrokenOffError(said)
        start, total = int(found[1]), found[2]
    else:
        raise SourceError(
            f"{archive.url}: {said}; check the address in the file under sources/, or download it "
            "by hand and set dataset.source to the absolute path of the unpacked folder."
        )
    if total.isdigit() and int(total) != archive.n_bytes:
        raise _wrong_size(archive, part, total)
    return start


def _verify(archive: Archive, part: Path) -> None:
    """Check size and checksum of the whole of `part`; remove it if they differ."""
    if (n := _size(part)) > archive.n_bytes:
        raise _wrong_size(archive, part, str(n))
    algorithm, expected = archive.checksum
    with part.open("rb") as file:
        new = hashlib.new(algorithm, usedforsecurity=False)
        found = hashlib.file_digest(file, lambda: new).hexdigest()
    if found != expected:
        part.unlink(missing_ok=True)
        raise SourceError(
            f"{archive.url}: its {algorithm} is {found}, but the file under sources/ says "
            f"{expected}. The download is removed; run again. If the checksum differs again, the "
            "server has a different file."
        )


def _wrong_size(archive: Archive, part: Path, found: str) -> SourceError:
    part.unlink(missing_ok=True)
    return SourceError(
        f"{archive.url}: it has {found} bytes, but n_bytes in the file under sources/ is "
        f"{archive.n_bytes}; the server has a different file (or answers with a login page)."
    )


def _full(archive: Archive, part: Path) -> SourceError:
    n_more = archive.n_bytes - _size(part)
    return SourceError(
        f"{archive.url}: the disk is full: {n_more} of its {archive.n_bytes} bytes are still "
        f"missing, and {n_free_bytes(part)} are free in {part.parent}. The part fetched so far is "
        "kept; make room (the pictures will need about twice the archive's size on top) and run "
        "again to resume."
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
