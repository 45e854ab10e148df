"""A stand-in for the hub of Hugging Face, on this machine."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def standing_in_for_the_hub(
    files: Mapping[str, bytes], refusal: tuple[int, str] = (404, "EntryNotFound")
) -> Iterator[tuple[str, list[str]]]:
    """A server: its address, and what it was asked for of `files`, by path.

    It answers as the hub does: the commit, and the sha256 of the content as its ETag.

    Args:
        files: content by path.
        refusal: status and X-Error-Code for every other path.
    """
    asked = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.wfile.write(self.answer())

        def answer(self) -> bytes:
            content = files.get(self.path, b"")
            status, code = refusal
            if self.path in files:
                asked.append(f"{self.command} {self.path}")
                status, code = 200, ""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", "c" * 40)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            return content

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()
