"""Reads objects out of stores (s3, gs, hf, http, a folder) by fsspec, with errors as sentences.

Credentials are whatever the store's own library finds in the environment or in its profile. Texts of
libraries are told only after secrets are taken out: they may quote a signed address.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from headstart.project.addresses import masked
from headstart.project.located import SourceError
from headstart.project.short import first_line

PIECE_BYTES = 1 << 23  # of one request
STREAM_BYTES = 1 << 16  # that a broken stream may lose
TIMEOUT_S = (10.0, 60.0)  # to connect, and between two pieces
_HELP = {
    "s3": ("s3", "log in as for the AWS command line (AWS_PROFILE, AWS_ACCESS_KEY_ID), or set "
           "FSSPEC_S3_ANON=true for a public bucket; AWS_ENDPOINT_URL names another server"),
    "gs": ("gs", "log in with `gcloud auth application-default login`, or set FSSPEC_GS_TOKEN=anon "
           "for a public bucket"),
    "hf": ("hf", "run `hf auth login`, or set HF_TOKEN"),
}  # fmt: skip
_ASK = "check the address, and whether it may be read without a password (~/.netrc is read)"
_ETAGS = ("ETag", "etag", "sha256", "blob_id", "md5Hash", "generation", "Content-MD5",
          "Last-Modified", "LastModified", "mtime", "created")  # fmt: skip


class Identity(NamedTuple):
    """What a store says of an object without sending it.

    Attributes:
        n_bytes: its size.
        etag: changes with its content: its etag, else a digest or the time of its last change; ''
            where the store tells nothing.
        sha256: of its content, where the store knows it; ''.
    """

    n_bytes: int
    etag: str
    sha256: str = ""


class BrokenOffError(Exception):
    """This try failed; another one may succeed."""


def look(url: str) -> Identity:
    """Ask for an object, past every cache.

    Raises:
        SourceError: there is none, or it may not be read.
        BrokenOffError: the store did not answer.
    """
    with _told(url):
        store = _store(url)
        store.invalidate_cache()
        about = store.info(url)
    if about.get("size") is None:
        raise SourceError(
            f"{url}: the server does not say how long it is, so it cannot be checked."
        )
    lfs = about.get("lfs") or {}
    sha256 = str(lfs.get("sha256") or "") if isinstance(lfs, dict) else ""
    etag = next((str(about[name]) for name in _ETAGS if about.get(name)), "")
    return Identity(int(about["size"]), etag.removeprefix("W/").strip('"'), sha256)


def find(pattern: str) -> list[str]:
    """Addresses of the objects that a pattern finds, sorted.

    Raises:
        SourceError: it finds none, the store cannot list, or refuses to.
        BrokenOffError: the store did not answer.
    """
    with _told(pattern):
        store = _store(pattern)
        store.invalidate_cache()
        found = store.glob(pattern, detail=True)
    scheme = urlsplit(pattern).scheme
    names = sorted(name for name, about in found.items() if about.get("type") == "file")
    if not names:
        raise SourceError(f"{pattern} finds no file; correct it in the file under sources/.")
    return [name if "://" in name else f"{scheme}://{name}" for name in names]


def pieces(url: str, start: int, n_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield (position, bytes) of an object from `start` on, or from 0 where a server has no ranges.

    Raises:
        SourceError: it may not be read.
        BrokenOffError: it broke off.
    """
    if urlsplit(url).scheme in ("http", "https"):
        yield from _streamed(url, start)
        return
    while start < n_bytes:
        end = min(start + PIECE_BYTES, n_bytes)
        with _told(url):
            piece = _store(url).cat_file(url, start=start, end=end)
        if len(piece) != end - start:
            raise BrokenOffError(f"{len(piece)} bytes came where {end - start} were asked for")
        yield start, piece
        start = end


def _streamed(url: str, start: int) -> Iterator[tuple[int, bytes]]:
    """One answer of a web server, as it comes: no piece of it must fit the memory as a whole.

    Not through fsspec, whose stream forgets up to a megabyte that has come when it breaks off.
    """
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with (
        _told(url),
        requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer,
    ):
        answer.raise_for_status()
        if answer.status_code != 206:
            start = 0
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise BrokenOffError("the server sent another part than was asked for")
        for piece in answer.raw.stream(STREAM_BYTES, decode_content=False):
            yield start, piece
            start += len(piece)


def _store(url: str) -> Any:
    return _store_of(urlsplit(url).scheme)


@cache
def _store_of(scheme: str) -> Any:
    import fsspec  # here, because most projects need none

    try:
        if scheme in ("http", "https"):
            import aiohttp

            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=TIMEOUT_S[0], sock_read=TIMEOUT_S[1]
            )
            return fsspec.filesystem(scheme, client_kwargs={"timeout": timeout, "trust_env": True})
        return fsspec.filesystem(scheme)
    except ImportError:
        extra = _HELP[scheme][0] if scheme in _HELP else "s3"
        raise SourceError(
            f"{scheme}:// needs a package that is not installed: pip install 'headstart[{extra}]'."
        ) from None


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what the libraries of a store raise into one of two errors."""
    try:
        yield
    except (SourceError, BrokenOffError, GeneratorExit):
        raise
    except Exception as error:  # each library has its own
        status, scheme = _status(error), urlsplit(url).scheme
        help_ = _HELP[scheme][1] if scheme in _HELP else _ASK
        kind = type(error).__name__
        if status in (401, 403) or isinstance(error, PermissionError) or "Credential" in kind:
            why = f" ({status})" if status else ""
            raise SourceError(f"{url} may not be read{why}: {help_}.") from None
        if status in (404, 410) or (isinstance(error, FileNotFoundError) and status is None):
            raise SourceError(
                f"{url} does not exist{f' ({status})' if status else ''}, or is not shown without "
                f"credentials: correct it in the file under sources/, or {help_}."
            ) from None
        if status is not None and 400 <= status < 500 and status not in (408, 416, 429):
            raise SourceError(f"{url}: the server answered {status}.") from None
        raise BrokenOffError(masked(f"{kind}: {first_line(error)}")) from None


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error, or what caused it, tells."""
    at: BaseException | None = error
    while at is not None:
        answer = getattr(at, "response", None)
        found = getattr(at, "status", None) or getattr(answer, "status_code", None)
        if isinstance(answer, dict):  # botocore
            found = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if isinstance(found, int):
            return found
        at = at.__cause__
    return None
