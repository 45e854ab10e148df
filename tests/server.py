"""A web server on localhost that fails on demand and records its requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Cut:
    """Break the connection after some bytes of the body; close it only when released."""

    n_bytes: int
    hang: bool = False


@dataclass
class Site:
    """The server's files and behaviour, and the requests it received.

    Attributes:
        files: content by path.
        moved: where a path redirects to.
        plan: the failure of each next answer: a status, a cut, or None (no failure).
        resumes: whether it serves ranges.
        tells_size: whether it sends Content-Length.
        etags: of a path's content.
        refused: the status that each request of a path gets.
        asked: (path, header Range) of each GET.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    plan: list[int | Cut | None] = field(default_factory=list)
    resumes: bool = True
    tells_size: bool = True
    etags: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve() -> Iterator[Site]:
    """Run a server until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, site)

        def do_HEAD(self) -> None:
            _answer(self, site)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield site
        finally:
            site.released.set()
            server.shutdown()
            thread.join()


def _answer(request: BaseHTTPRequestHandler, site: Site) -> None:
    wanted = request.headers.get("Range")
    is_head, wrong = request.command == "HEAD", None
    if not is_head:
        site.asked.append((request.path, wanted))
        wrong = site.plan.pop(0) if site.plan else None
    wrong = site.refused.get(request.path, wrong)
    if isinstance(wrong, int):
        request.send_error(wrong)
        return
    if request.path in site.moved:
        request.send_response(302)
        request.send_header("Location", site.moved[request.path])
        request.end_headers()
        return
    if request.path not in site.files:
        request.send_error(404)
        return
    body = site.files[request.path]
    start = 0
    if wanted and site.resumes:
        start, n = int(wanted.removeprefix("bytes=").removesuffix("-")), len(body)
        if start >= n:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{n}")
            request.end_headers()
            return
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {start}-{n - 1}/{n}")
    else:
        request.send_response(200)
    if site.tells_size:
        request.send_header("Content-Length", str(len(body) - start))
    if request.path in site.etags:
        request.send_header("ETag", f'"{site.etags[request.path]}"')
    request.end_headers()
    if is_head:
        return
    body = body[start:]
    if isinstance(wrong, Cut):
        body = body[: wrong.n_bytes]
    with suppress(ConnectionError):  # a client may hang up early
        request.wfile.write(body)
    if isinstance(wrong, Cut) and wrong.hang:
        site.released.wait(60)
