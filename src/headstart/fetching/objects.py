"""Downloads the objects of a store into a folder: resumed, checked, each renamed when it is whole."""

import errno
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from headstart.fetching.remote_sources import RemoteFile, RemoteImages
from headstart.fetching.shard_sources import CLASS_FILES
from headstart.fetching.stores import PIECE_BYTES, BrokenOffError, Identity, find, look, pieces
from headstart.image_files.safe_names import safe_name
from headstart.image_files.tree import is_hidden, n_free_bytes
from headstart.project.beside import written_beside
from headstart.project.located import SourceError
from headstart.project.report import Report
from headstart.project.short import cut, listed
from headstart.project.work import note_place
from headstart.project.workers import in_order

A = TypeVar("A")
B = TypeVar("B")

N_TRIES = 5  # tries in a row that bring no byte
WAIT_S = 1.0  # after the first such try; each further wait is twice as long
_SUFFIX = {"webdataset": ".tar", "parquet": ".parquet", "files": ""}


class Remote(NamedTuple):
    """One object to fetch.

    Attributes:
        url: its address.
        place: path that it gets below the folder, with /.
        wanted: what its description says of it.
    """

    url: str
    place: str
    wanted: RemoteFile


def fetch_objects(source: RemoteImages, folder: Path, report: Report) -> Path:
    """Fetch what a description names below `folder`; what is there already and unchanged stays.

    An object that has another size or etag than when its part, or the whole, was fetched here is
    fetched anew. What has changed since the last complete fetch is told on stderr.

    Returns:
        The folder that holds the objects alone.

    Raises:
        SourceError: an object is not there, may not be read, breaks off again and again, changes
            meanwhile, or is not as described; two would get one path; or the disk is full.
    """
    remotes = _remotes(source)
    looks = in_order(partial(_tried, lambda remote: look(remote.url)), remotes)
    found = dict(
        zip((remote.place for remote in remotes),
            report.progress(looks, len(remotes), "ask for the files"), strict=True)
    )  # fmt: skip
    for remote in remotes:
        _check_described(remote, found[remote.place])
    _tell_changes(source, remotes, found)
    objects = folder / "objects"
    n_bytes = sum(about.n_bytes for about in found.values())
    n_missing = n_bytes - sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if n_missing > n_free_bytes(folder):
        raise SourceError(
            f"{source.files[0].url}: {n_missing} bytes are still missing, and {n_free_bytes(folder)} "
            f"are free in {folder}: make room and run again; what is fetched is kept."
        )

    def fetch(remote: Remote) -> None:
        _fetch(remote, found[remote.place], objects / remote.place, folder / "parts")

    fetched = in_order(fetch, remotes)
    for _ in report.progress(fetched, len(remotes), f"download {n_bytes / 1e6:,.1f} MB"):
        pass
    for file in sorted(objects.rglob("*")):  # of an earlier look, and no longer in the store
        if file.is_file() and file.relative_to(objects).as_posix() not in found:
            file.unlink()
    _remember(source, remotes, found)
    return objects


def _remotes(source: RemoteImages) -> list[Remote]:
    """All objects, sorted by the path that they get."""
    remotes: dict[str, Remote] = {}
    for file in source.files:
        for url, path in _named_by(file):
            parts = [part for part in unquote(path).split("/") if part]
            if file.is_pattern and any(map(is_hidden, parts)):
                continue
            if not parts or any(safe_name(part) != part for part in parts):
                raise SourceError(
                    f"{cut(url)}: its name is hidden, too long or holds odd characters: rename it."
                )
            if not parts[-1].lower().endswith(_SUFFIX[source.form]):
                raise SourceError(
                    f"{url} does not end in {_SUFFIX[source.form]}, as form {source.form} needs it "
                    "(a compressed tar has no place for one picture: unpack it to a plain .tar)."
                )
            _add(remotes, Remote(url, "/".join([*filter(None, [file.split]), *parts]), file))
    if source.classes_url:
        of_classes = RemoteFile(url=source.classes_url)
        _add(remotes, Remote(source.classes_url, CLASS_FILES[0], of_classes))
    if not remotes:
        raise SourceError(f"{source.files[0].url} finds no file that is not hidden.")
    return [remotes[place] for place in sorted(remotes)]


def _add(remotes: dict[str, Remote], remote: Remote) -> None:
    if (other := remotes.setdefault(remote.place, remote)) is not remote:
        raise SourceError(
            f"{other.url} and {remote.url} would both become {remote.place}: give them another split, "
            "or a description of their own."
        )


def _named_by(file: RemoteFile) -> Iterator[tuple[str, str]]:
    """(address, path below the folders before the first sign of a pattern) of each object."""
    for url in file.urls():
        if not file.is_pattern:
            yield url, urlsplit(url).path.rpartition("/")[2]
            continue
        fixed = _bare(url[: min(url.find(sign) for sign in "*[" if sign in url)]).rpartition("/")[0]
        for one in _tried(find, url):
            if not (inside := _bare(one)).startswith(f"{fixed}/" if fixed else ""):
                raise SourceError(f"{url} finds {cut(one)!r}, which lies elsewhere.")
            yield one, inside[len(fixed) :]


def _bare(url: str) -> str:
    return url.partition("://")[2].lstrip("/")


def _tried(function: Callable[[A], B], value: A) -> B:
    """What a function gives, after up to N_TRIES tries."""
    for n in range(N_TRIES):
        try:
            return function(value)
        except BrokenOffError as error:
            why = str(error)
        if n < N_TRIES - 1:
            time.sleep(WAIT_S * 2**n)
    name = value.url if isinstance(value, Remote) else value
    raise SourceError(f"{name} did not answer in {N_TRIES} tries: {why.rstrip('.')}.")


def _check_described(remote: Remote, found: Identity) -> None:
    for key in ("n_bytes", "etag"):
        wanted, there = getattr(remote.wanted, key), getattr(found, key)
        if wanted is not None and wanted != there:
            raise SourceError(
                f"{remote.url}: its {key} is {there!r}, but the file under sources/ says {wanted!r}: "
                "the object has changed."
            )


def _fetch(remote: Remote, found: Identity, target: Path, parts: Path) -> None:
    """Bring one object to `target`, unless its unchanged content is there."""
    key = hashlib.sha256(remote.url.encode()).hexdigest()[:24]
    part, about = parts / f"{key}.part", parts / f"{key}.json"
    if not (about.is_file() and about.read_text() == json.dumps(found)):
        for old in (part, target):
            old.unlink(missing_ok=True)
        with written_beside(about) as partial_about:
            partial_about.write_text(json.dumps(found))
    if not target.is_file():
        try:
            several = _gather(remote, found, part)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise SourceError(
                f"{remote.url}: the disk is full ({n_free_bytes(part)} bytes are free in {parts}): "
                "make room and run again to resume."
            ) from None
        if several and _tried(look, remote.url) != found:
            part.unlink()
            raise SourceError(f"{remote.url} changed while it was fetched: run again.")
        _check_digest(remote, found, part)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    elif remote.wanted.sha256:
        _check_digest(remote, found, target)


def _gather(remote: Remote, found: Identity, part: Path) -> bool:
    """Fill `part`; return whether several answers were needed."""
    n_failed = n_answers = 0
    part.touch()
    while (n_there := part.stat().st_size) < found.n_bytes:
        n_answers += 1
        try:
            with part.open("r+b") as file:
                for start, piece in pieces(remote.url, n_there, found.n_bytes):
                    if start + len(piece) > found.n_bytes:
                        file.truncate(0)
                        raise SourceError(
                            f"{remote.url} sends more than the {found.n_bytes} bytes that it announced."
                        )
                    file.seek(start)
                    file.write(piece)
                    file.truncate()
        except BrokenOffError as error:
            why = str(error)
        else:
            why = "the store stopped sending"
        if (n_now := part.stat().st_size) < found.n_bytes:
            n_failed = 1 if n_now > n_there else n_failed + 1
            if n_failed == N_TRIES:
                raise SourceError(
                    f"{remote.url} could not be fetched in {N_TRIES} tries: {why.rstrip('.')}. The "
                    f"part fetched so far ({n_now} of {found.n_bytes} bytes) is kept; run again to "
                    "resume."
                )
            time.sleep(WAIT_S * 2 ** (n_failed - 1))
    return n_answers > 1 or found.n_bytes > PIECE_BYTES


def _check_digest(remote: Remote, found: Identity, file: Path) -> None:
    expected = remote.wanted.sha256 or found.sha256
    if not expected:
        return
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != expected:
        file.unlink()
        who = "the file under sources/" if remote.wanted.sha256 else "the store"
        raise SourceError(
            f"{remote.url}: its sha256 is {digest}, but {who} says {expected}. The download is "
            "removed; run again. If the digest differs again, the object has changed."
        )


def _note(source: RemoteImages) -> Path:
    return note_place("objects", {"files": [file.url for file in source.files]})


def _tell_changes(source: RemoteImages, remotes: list[Remote], found: dict[str, Identity]) -> None:
    note = _note(source)
    before = json.loads(note.read_text()) if note.is_file() else {}
    now = {remote.url: list(found[remote.place]) for remote in remotes}
    changed = [url for url in sorted(now) if url in before and before[url] != now[url]]
    for what, urls in (
        ("have changed", changed),
        ("are new", sorted(now.keys() - before.keys()) if before else []),
        ("are gone", sorted(before.keys() - now.keys())),
    ):
        if urls:
            print(
                f"dataset.source: since the last fetch on this machine, {len(urls)} objects {what}: "
                f"{listed(urls)}.",
                file=sys.stderr,
            )


def _remember(source: RemoteImages, remotes: list[Remote], found: dict[str, Identity]) -> None:
    with written_beside(_note(source), shared=True) as partial_note:
        now = {remote.url: list(found[remote.place]) for remote in remotes}
        partial_note.write_text(json.dumps(now))
