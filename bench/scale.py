"""Measure memory and time per picture of index, resize and both precomputes, at growing numbers.

Run: python -m bench.scale [--n 1000 --n 10000 --n 100000]      (about five minutes on 2 cores)

The pictures are generated JPEGs (200 x 150 px); the network's input is 64 px, and each picture of
train has one view. Each number of pictures has a process of its own. Memory is the largest resident
memory of the process during a step.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil

from bench.compare import machine
from bench.new_pictures import OUTS, four_steps
from bench.pictures import add_pictures
from bench.tables import RESULTS, scale_table, write_result

ROOT = Path(__file__).parents[1]
GENERATED_PX, INPUT_PX = (200, 150), 64


@contextmanager
def most_resident(found: dict[str, float]) -> Iterator[None]:
    """Store the largest resident memory of this process, in MB, without pages of mapped files."""
    process, done = psutil.Process(), threading.Event()
    found["MB"] = 0.0

    def watch() -> None:
        while not done.wait(0.05):
            now = process.memory_info()
            found["MB"] = max(found["MB"], (now.rss - now.shared) / 1e6)
            found["MB with mapped files"] = max(
                found.get("MB with mapped files", 0.0), now.rss / 1e6
            )

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def at(n: int, weights: Path) -> dict[str, Any]:
    """Milliseconds per picture and memory of each step, for `n` pictures."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        root = Path(folder).resolve()
        os.environ["DVC_ROOT"] = str(root)
        add_pictures(root / "images", range(n), GENERATED_PX)
        memory: dict[str, float] = {}
        with most_resident(memory):
            seconds = four_steps(root / "images", root / "out", weights, 1, INPUT_PX)
    return {"n": n, **memory, "ms": {step: 1e3 * seconds[step] / n for step in OUTS}}


@click.command(help=__doc__)
@click.option("--n", multiple=True, default=(1_000, 10_000, 100_000), show_default=True)
@click.option("--weights", default="data/0_source/backbone.safetensors", show_default=True)
@click.option("--name", default="scale", show_default=True, help="of the file in bench/results")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
@click.option("--one", default=0, hidden=True, help="this number, in this process")
def main(n: tuple[int, ...], weights: str, name: str, results: Path, one: int) -> None:
    file = Path(weights).resolve()
    if one:
        click.echo(json.dumps(at(one, file)))
        return
    rows = []
    for number in n:
        start = time.perf_counter()
        command = [sys.executable, "-m", "bench.scale", "--one", str(number)]
        command += ["--weights", str(file)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.strip().splitlines()[-1]))
        took = time.perf_counter() - start
        click.echo(f"{number} pictures: {json.dumps(rows[-1])}, {took:.0f} s", err=True)
    found = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": "python -m bench.scale", "generated_px": GENERATED_PX, "size_px": INPUT_PX,
        "scale": rows,
    }  # fmt: skip
    write_result(results, found)
    click.echo(scale_table(found))


if __name__ == "__main__":
    main()
