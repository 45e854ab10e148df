"""The signatures of many pictures, in a file without a name: those of a million take 2 GB."""

import mmap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from headstart.pictures.signature import SIDE

N_AT_ONCE = 4096  # 8 MB


class SignatureFile(AbstractContextManager["SignatureFile"]):
    """Signatures that are added one by one. The system removes the file when nothing uses it."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 (closed by __exit__)

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, cells: bytes) -> None:
        """Add the bytes of one signature, or of several."""
        self._file.write(cells)

    def array(self) -> NDArray[np.float16]:
        """All of them, (N, 32, 32), read from the file when they are used, also after it is closed."""
        if not self._file.tell():
            return np.zeros((0, SIDE, SIDE), np.float16)
        self._file.flush()
        content = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(content, np.float16).reshape(-1, SIDE, SIDE)


def in_order(signatures: NDArray[np.float16], order: Sequence[int]) -> NDArray[np.float16]:
    """The signatures of these numbers, in a file of their own: (len(order), 32, 32)."""
    with SignatureFile() as file:
        for start in range(0, len(order), N_AT_ONCE):
            file.add(signatures[order[start : start + N_AT_ONCE]].tobytes())
        return file.array()
