"""Runs many inputs through readers in other processes, which may crash, hang or take memory."""

import os
import select
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bad_inputs.mutations import mutated
from tests.bad_inputs.readers import READERS
from tests.bad_inputs.worker import MAX_BYTES

HANG_S = 10.0  # of its own processor time, or of a sleep: a busy machine is not the reader's fault
SLEEP_S = 60.0
N_FAULTS = 20  # of a reader, after which the rest of its inputs is not tried

ROOT = Path(__file__).parents[2]


@dataclass
class Tried:
    """What became of the inputs.

    Attributes:
        n: inputs.
        ended: how many were read, refused, or ended in a fault of a kind.
        faults: a line for each fault: reader, number of its input, what happened.
        seconds: that all took.
    """

    n: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, reader: str, number: int, said: str, folder: Path) -> None:
        """Count one input; one that ended in a fault is kept in `folder`."""
        self.n += 1
        kinds = ("read", "refused", "crash", "hang", "over 1 GB")
        self.ended[next((kind for kind in kinds if said.startswith(kind)), "traceback")] += 1
        if said not in ("read", "refused"):
            self.faults.append(f"{reader} {number}: {said}")
            folder.mkdir(parents=True, exist_ok=True)
            data = mutated(READERS[reader].seeds(), reader, number)
            (folder / f"{reader}-{number}").write_bytes(data)

    def figures(self) -> str:
        """The counts as a phrase."""
        kinds = ("crash", "hang", "over 1 GB", "traceback")
        listed = ", ".join(f"{self.ended[kind]} {kind}" for kind in kinds)
        return (
            f"{self.n:,} inputs: {self.ended['read']:,} read, {self.ended['refused']:,} refused in a "
            f"sentence; {listed}"
        )


def try_all(n_inputs: dict[str, int], folder: Path, n_workers: int = 2) -> Tried:
    """Give each reader so many inputs; faults are kept in `folder / "faults"`."""
    tried, start = Tried(), time.perf_counter()
    with ThreadPoolExecutor(n_workers) as threads:
        for _ in threads.map(lambda name: _try(name, n_inputs[name], folder, tried), n_inputs):
            pass
    tried.seconds = time.perf_counter() - start
    return tried


def _try(reader: str, n: int, folder: Path, tried: Tried) -> None:
    number, before = 0, len(tried.faults)
    while number < n and len(tried.faults) - before < N_FAULTS:
        with _Worker(reader, number, n, folder / reader) as worker:
            for said in iter(worker.said, ""):
                tried.add(reader, number, said, folder / "faults")
                number += 1


class _Worker:
    """A process that gives the inputs from `first` on to a reader."""

    def __init__(self, reader: str, first: int, last: int, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._left = last - first
        self._errors = (folder / "stderr").open("w+")
        command = [sys.executable, "-m", "tests.bad_inputs.worker", reader, str(first), str(last)]
        self._process = subprocess.Popen(
            [*command, str(folder)], stdout=subprocess.PIPE, stderr=self._errors, cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self._about = psutil.Process(self._process.pid)
        self._text = b""
        first_line = self._line(600.0)
        if first_line != "loaded":
            raise RuntimeError(f"{reader} cannot be loaded: {first_line} {self._last_words()}")

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
        self._errors.close()

    def said(self) -> str:
        """How the next input ended; '' after the last one, or when another process must go on."""
        if not self._left or self._process.poll() == 0:
            return ""
        line = self._line(HANG_S)
        self._left -= 1
        if line.startswith(("crash", "hang", "over 1 GB")):
            self._left = 0
            return line
        ended = line.partition(" ")[2]
        self._left = 0 if ended.startswith("over 1 GB") else self._left
        return ended

    def _line(self, limit_s: float) -> str:
        """The next line, or what happened in its place."""
        assert self._process.stdout
        start, busy = time.monotonic(), self._busy_s()
        while b"\n" not in self._text:
            if select.select([self._process.stdout], [], [], 0.1)[0]:
                piece = os.read(self._process.stdout.fileno(), 1 << 16)
                if not piece:
                    return f"crash: exit status {self._process.wait()} {self._last_words()}"
                self._text += piece
                continue
            if self._busy_s() - busy > limit_s or time.monotonic() - start > limit_s + SLEEP_S:
                return f"hang: over {limit_s:.0f} s"
            if self._resident() > MAX_BYTES:
                return "over 1 GB, and still growing"
        line, _, self._text = self._text.partition(b"\n")
        return line.decode()

    def _busy_s(self) -> float:
        try:
            used = self._about.cpu_times()
        except psutil.Error:
            return 0.0
        return float(used.user + used.system)

    def _resident(self) -> int:
        try:
            return int(self._about.memory_info().rss)
        except psutil.Error:
            return 0

    def _last_words(self) -> str:
        self._errors.seek(0)
        return " ".join(self._errors.read()[-600:].split())
