"""A small job for workers, which tells what it does in a folder; and the work of it."""

import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.cluster.jobs import A_CORE, Make, Needs, Read
from headstart.cluster.spread import Work
from headstart.project.errors import HeadstartError

NAMES = [f"{number:02}" for number in range(22)]  # six shards of 4


@dataclass(frozen=True)
class Doubling:
    """Gives each picture twice.

    Attributes:
        folder: gets a file for each shard that was made, and for each worker that began.
        dies_at: the first picture of a shard whose worker dies, as often as `deaths` says.
        deaths: how often.
        takes_s: of each shard.
    """

    folder: Path
    dies_at: str = ""
    deaths: int = 1
    takes_s: float = 0.0

    def open(self) -> Make:
        (self.folder / f"opened.{os.getpid()}").touch()

        def make(names: Sequence[str], what: Any, read: Read) -> Iterable[bytes]:
            if what == "refuse":
                raise HeadstartError(f"picture {names[0]} is refused.")
            died = list(self.folder.glob("died.*"))
            if names[0] == self.dies_at and len(died) < self.deaths:
                (self.folder / f"died.{len(died)}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.takes_s)
            (self.folder / f"made.{names[0]}.{os.getpid()}.{time.monotonic_ns()}").touch()
            return [2 * read(name) + str(what).encode() for name in names]

        return make


@dataclass(frozen=True)
class Content:
    """Reads a picture: its name and a length that differs from picture to picture."""

    longest: int = 3

    def __call__(self, name: str) -> bytes:
        return name.encode() * (int(name) % self.longest)


def work(job: Doubling, what: Any = 7, needs: Needs = A_CORE) -> Work:
    shaped_by = {"of": "doubles", "code": "1", "folder": str(job.folder)}
    about = {**shaped_by, "job": repr(job)}
    return Work(lambda: job, about, {**shaped_by, "what": what}, what, Content(), needs)


def doubled(names: Sequence[str] = NAMES, what: Any = 7) -> list[bytes]:
    return [2 * Content()(name) + str(what).encode() for name in names]


def made(folder: Path) -> list[str]:
    """The first pictures of the shards that were made, one for each time."""
    return sorted(file.name.split(".")[1] for file in folder.glob("made.*"))


def opened(folder: Path) -> int:
    return len(list(folder.glob("opened.*")))


def shards(root: Path) -> list[Path]:
    """The files of shards that wait for their turn."""
    return sorted(root.glob(".headstart/work/shards/*/*.shard"))
