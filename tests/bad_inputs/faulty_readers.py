"""Readers with the faults that the pool must find."""

import os
import time
from pathlib import Path

from headstart.project.errors import HeadstartError
from tests.bad_inputs.readers import Reader

SEEDS = [b"a seed"]


def _crash(_: bytes, __: Path) -> None:
    os.abort()


def _hang(_: bytes, __: Path) -> None:
    end = time.process_time() + 1000
    while time.process_time() < end:
        pass


def _grow(_: bytes, __: Path) -> None:
    bytearray(b"x" * (1100 << 20))


def _raise(_: bytes, __: Path) -> None:
    raise KeyError("a traceback")


def _advise(_: bytes, __: Path) -> None:
    raise HeadstartError("set weights_only to False.")


READERS = {
    name: Reader(lambda: SEEDS, read)
    for name, read in {
        "crash": _crash, "hang": _hang, "grow": _grow, "raise": _raise, "advise": _advise,
    }.items()
}  # fmt: skip
