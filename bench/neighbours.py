"""Time a fine-tuning epoch beside busy processes, with torch's threads in one team or in two.

Run: python -m bench.neighbours        (about six minutes on 2 cores; the machine must be idle)

The threads of a team wait for each other at the end of each parallel operation of torch. By OpenMP's
default they spin for milliseconds while they wait; with `OMP_WAIT_POLICY=PASSIVE`, which `start`
sets, they sleep at once. Two teams (`backbone.teams`), each with half of the threads, wait for each
other once a step. The WAYS are timed in turn: alone, beside busy loops, and beside a training of the
same way. An epoch longer than `--limit` is stopped after the step that exceeded it.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
import psutil

from bench.compare import choose, machine, textile
from bench.epoch import Prepared, prepared
from bench.peers import loaded
from bench.tables import RESULTS, neighbours_table, write_result
from headstart.project.report import Shown

T = TypeVar("T")
BUSY = "while True: pass"


class Way(NamedTuple):
    """How the threads of a training work.

    Attributes:
        passive: those that wait sleep.
        teams: there are two teams of them, if their number is even.
    """

    passive: bool
    teams: bool


WAYS = {
    "one team spins": Way(passive=False, teams=False),
    "one team sleeps": Way(passive=True, teams=False),
    "two teams": Way(passive=True, teams=True),
}
ALONE, TRAINING = "nothing", "another training"


class OverLimitError(Exception):
    """The epoch has exceeded its limit."""


class Limited:
    """A report whose progress raises OverLimitError when an epoch exceeds its limit."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        start = time.perf_counter()
        for item in items:
            yield item
            if time.perf_counter() - start > self.limit_s:
                raise OverLimitError

    def log(self, values: Mapping[str, float], step: int) -> None:
        pass


def worker(setting: dict[str, Any]) -> None:
    """Train an epoch for each line of stdin and print its seconds as JSON; `for ever` never ends."""
    report = Limited(setting["limit_s"])
    with tempfile.TemporaryDirectory() as folder:
        made = prepared(setting, Path(folder), report)
        one_epoch(made)  # warms up, and decodes the pictures
        click.echo("ready")
        for line in sys.stdin:
            if line.strip() == "for ever":
                report.limit_s = float("inf")
                while True:
                    one_epoch(made)
            click.echo(json.dumps(one_epoch(made)))


def one_epoch(made: Prepared) -> dict[str, float | bool]:
    """Seconds of an epoch over train, and whether it was stopped after them."""
    start, over = time.perf_counter(), False
    try:
        made.trainer.fit([made.phase(1, None)])
    except OverLimitError:
        over = True
    return {"seconds": time.perf_counter() - start, "over": over}


class Training:
    """A process that trains an epoch on request, with its threads working in one way.

    It has trained one epoch already. It is killed when `stack` closes.
    """

    def __init__(self, setting: Mapping[str, Any], way: Way, stack: ExitStack) -> None:
        command, environment = loaded("bench.neighbours", way.passive)
        self.process = subprocess.Popen(
            [*command, "--worker", json.dumps({**setting, "teams": way.teams})], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        stack.callback(self.process.kill)
        self.hear()

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout
        if not (line := self.process.stdout.readline()):
            raise click.ClickException("A training has ended; its error stands above.")
        return line

    def epoch(self) -> dict[str, Any]:
        self.say("epoch")
        found: dict[str, Any] = json.loads(self.hear())
        return found


@contextmanager
def busy(n: int) -> Iterator[None]:
    """Run `n` processes of busy loops until the block ends."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(n)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def resumed(process: psutil.Process) -> Iterator[None]:
    process.resume()
    try:
        yield
    finally:
        process.suspend()


class Pair:
    """Two trainings of one way: one is timed; the other is stopped, or runs as its neighbour."""

    def __init__(self, setting: Mapping[str, Any], way: Way, stack: ExitStack) -> None:
        self.timed, other = (Training(setting, way, stack) for _ in range(2))
        other.say("for ever")
        self.other = psutil.Process(other.process.pid)
        self.other.suspend()

    def beside(self, n_loops: int | None) -> dict[str, Any]:
        """Time an epoch beside `n_loops` busy loops; None: beside the other training."""
        with resumed(self.other) if n_loops is None else busy(n_loops):
            time.sleep(0.5)  # until they run
            return self.timed.epoch()


def rounds(setting: Mapping[str, Any], loops: Sequence[int], n_rounds: int) -> dict[str, Any]:
    """Neighbours -> way -> the timed epoch of each round."""
    cases: dict[str, int | None] = {ALONE: 0}
    cases |= {f"{n} busy loop{'s' * (n > 1)}": n for n in loops} | {TRAINING: None}
    found: dict[str, Any] = {name: {way: [] for way in WAYS} for name in cases}
    with ExitStack() as stack:
        pairs = {name: Pair(setting, way, stack) for name, way in WAYS.items()}
        for number, (name, n_loops) in itertools.product(range(n_rounds), cases.items()):
            for way in sorted(pairs, reverse=number % 2 == 0):  # the first way alternates
                result = pairs[way].beside(n_loops)
                found[name][way].append(result)
                click.echo(f"beside {name}, {way}: {json.dumps(result)}", err=True)
    return found


@click.command(help=__doc__)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="a folder of a folder a class; default: the simulated textile",
)
@click.option("--weights", default="data/0_source/backbone.safetensors", show_default=True)
@click.option("--n-train", default=96, show_default=True, help="pictures of an epoch")
@click.option("--size-px", default=224, show_default=True)
@click.option("--batch", default=16, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--loops", multiple=True, default=(1, 2, 4), show_default=True, help="busy ones")
@click.option("--rounds", "n_rounds", default=1, show_default=True)
@click.option("--limit", "limit_s", default=60.0, show_default=True, help="seconds of an epoch")
@click.option("--name", default="neighbours", show_default=True, help="of the file of results")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
@click.option("--worker", "worker_setting", hidden=True, help="JSON: train in this process")
def main(
    pictures: Path | None, weights: str, loops: tuple[int, ...], n_rounds: int, name: str,
    results: Path, worker_setting: str | None, **options: Any,
) -> None:  # fmt: skip
    if worker_setting:
        worker(json.loads(worker_setting))
        return
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="neighbours-") as folder:
        chosen = Path(folder).resolve() / "pictures"
        choose(pictures or textile(), chosen, {"train": options["n_train"], "valid": 16})
        setting = {"pictures": str(chosen), "weights": str(Path(weights).resolve()), **options}
        found = rounds(setting, loops, n_rounds)
    result = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "load_before": load_before, "command": f"python -m bench.neighbours --rounds {n_rounds}",
        **options, "neighbours": found,
    }  # fmt: skip
    write_result(results, result)
    click.echo(neighbours_table(result))


if __name__ == "__main__":
    main()
