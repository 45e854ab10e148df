"""Runs many inputs through readers in other processes, which may crash, hang or take memory."""

import importlib
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bad_inputs.mutations import mutated
from tests.bad_inputs.readers import Reader
from tests.bad_inputs.worker import MAX_BYTES

HANG_S = 10.0  # of its own processor time, or of a sleep: a busy machine is not the reader's fault
SLEEP_S = 60.0
N_PROCESSES = 2
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

    def add(self, reader: str, number: int, said: str) -> bool:
        """Count one input; return whether it ended in a fault."""
        self.n += 1
        kinds = ("read", "refused", "crash", "hang", "over 1 GB")
        self.ended[next((kind for kind in kinds if said.startswith(kind)), "traceback")] += 1
        if is_fault := said not in ("read", "refused"):
            self.faults.append(f"{reader} {number}: {said}")
        return is_fault

    def figures(self) -> str:
        """The counts as a phrase."""
        kinds = ("crash", "hang", "over 1 GB", "traceback")
        listed = ", ".join(f"{self.ended[kind]} {kind}" for kind in kinds)
        return (
            f"{self.n:,} inputs: {self.ended['read']:,} read, {self.ended['refused']:,} refused in a "
            f"sentence; {listed}"
        )


def try_all(
    n_inputs: Mapping[str, int], folder: Path, module: str = "tests.bad_inputs.readers"
) -> Tried:
    """Give each reader so many inputs; inputs that end in a fault are kept in `folder / "faults"`.

    Args:
        n_inputs: by the name of the reader.
        folder: for files of the readers.
        module: that holds READERS.
    """
    tried, start = Tried(), time.perf_counter()
    with ThreadPoolExecutor(N_PROCESSES) as threads:
        jobs = [
            threads.submit(_try, module, name, n, folder, tried) for name, n in n_inputs.items()
        ]
        for job in jobs:
            job.result()
    tried.seconds = time.perf_counter() - start
    return tried


def _try(module: str, name: str, n: int, folder: Path, tried: Tried) -> None:
    reader: Reader = importlib.import_module(module).READERS[name]
    number = n_faults = 0
    while number < n and n_faults < N_FAULTS:
        with _Worker((module, name, str(number), str(n)), folder / name) as worker:
            for said in iter(worker.said, ""):
                if tried.add(name, number, said):
                    n_faults += 1
                    (folder / "faults").mkdir(exist_ok=True)
                    data = mutated(reader.seeds(), name, number)
                    (folder / "faults" / f"{name}-{number}").write_bytes(data)
                number += 1


class _Worker:
    """A process that gives inputs to a reader."""

    def __init__(self, job: tuple[str, str, str, str], folder: Path) -> None:
        """Start the process for a module, the name of its reader, and the first and last number."""
        folder.mkdir(parents=True, exist_ok=True)
        self._left = int(job[3]) - int(job[2])
        self._errors = (folder / "stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bad_inputs.worker", *job, str(folder)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"},
        )
        self._about = psutil.Process(self._process.pid)
        self._text = b""
        first_line = self._line(600.0)
        if first_line != "loaded":
            raise RuntimeError(f"{job} cannot be loaded: {first_line} {self._last_words()}")

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
