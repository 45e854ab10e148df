"""A server on localhost that answers as a broken tracker does, and tells when it was asked."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

BEHAVIOURS = ("drip", "silent", "reset", "500", "garbage", "absent")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nno."
DRIP_EVERY_S = 0.2


@contextmanager
def bad_server(behaviour: str, asked: Callable[[], object] = lambda: None) -> Iterator[str]:
    """Run a server until the block ends; yield its address, with a user and a password.

    Args:
        behaviour: one of BEHAVIOURS: a byte each 0.2 s, no answer, a broken connection, an error, no
            HTTP, nobody there.
        asked: called when a request comes, in another thread.
    """
    closed = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.05)

        def serve() -> None:
            while not closed.is_set():
                with suppress(TimeoutError):
                    connection, _ = server.accept()
                    asked()
                    threads.append(
                        threading.Thread(target=_answer, args=(connection, behaviour, closed))
                    )
                    threads[-1].start()

        if behaviour == "absent":
            server.close()
        else:
            threads.append(threading.Thread(target=serve))
            threads[0].start()
        try:
            yield f"http://ada:pa55word@127.0.0.1:{port}"
        finally:
            closed.set()
            for thread in list(threads):
                thread.join()


def _answer(connection: socket.socket, behaviour: str, closed: threading.Event) -> None:
    with connection, suppress(OSError):
        connection.settimeout(5)
        connection.recv(1 << 16)
        match behaviour:
            case "drip":
                connection.sendall(HEAD)
                while not closed.wait(DRIP_EVERY_S):
                    connection.sendall(b" ")
            case "silent":
                closed.wait()
            case "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case "500":
                connection.sendall(FAILED)
            case "garbage":
                connection.sendall(bytes(range(256)))
