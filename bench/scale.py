"""Measure memory and time per picture of index, resize, both precomputes and the head, as they grow.

Run: python -m bench.scale [--n 1000 --n 10000 --n 100000]      (about five minutes on 2 cores)
     python -m bench.scale --network test_resnet --near-duplicates off \
         --n 10000 --n 1000000 --name million   (an hour, 30 GB)

The pictures are generated JPEGs (200 x 150 px); the network's input is 64 px, and each picture of
train has one view. The head is trained for two epochs. Each number of pictures has a process of its
own. The search for near duplicates grows with N^1.5; all else grows with N. Memory is the largest
resident memory of the process during a step. `CPU` is the processor time of all threads, which other
processes disturb less than the time on the clock.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil

from bench.compare import machine
from bench.new_pictures import OUTS, four_steps, timed
from bench.pictures import add_pictures
from bench.tables import RESULTS, scale_table, write_result
from headstart.activations.stored import read_activations
from headstart.backbone.backbone import Backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.backbone.tensors import NamedTensors, write_tensors
from headstart.checks.whole_file import load_section
from headstart.labels.labels import read_labels
from headstart.network.head import HeadParams
from headstart.project.report import Silent
from headstart.steps.train_head import TrainHeadParams, train_head
from headstart.training.lr_curve import Suggestion
from headstart.training.optimizer import OptimizerParams
from headstart.training.sampling import SamplingParams

ROOT = Path(__file__).parents[1]
GENERATED_PX, INPUT_PX = (200, 150), 64
NUMBERS = (1_000, 10_000, 100_000)
NEAR = "together"


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


def head(out: Path) -> dict[str, float]:
    """Train a head on the activations of `four_steps`, and return the seconds that it takes."""
    seconds = dict[str, float]()
    with timed(seconds, "head"):
        index = (out / "index" / f"{name}.parquet" for name in ("labels", "test_labels"))
        train_head(
            read_activations(out / "plain"),
            read_labels(*index),
            load_section("train_head", TrainHeadParams).model_copy(
                update={"lr": 0.01, "n_epochs": 2}
            ),
            load_section("head", HeadParams),
            load_section("optimizer_head", OptimizerParams),
            Suggestion(None, "not asked for"),
            load_section("sampling", SamplingParams),
            prepare(load_section("runtime", RuntimeParams)),
            Silent(),
        )
    return seconds


def random_weights(network: str, file: Path) -> None:
    """Write random weights of a network of timm."""
    backbone = Backbone.create(network)
    about = {"architecture": network, "mean": "[0.5, 0.5, 0.5]", "std": "[0.5, 0.5, 0.5]"}
    write_tensors(file, NamedTensors(backbone.model.state_dict(), about))


def at(n: int, weights: str, network: str, near: str) -> dict[str, Any]:
    """Milliseconds per picture and memory of each step, for `n` pictures."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        root = Path(folder).resolve()
        os.environ["DVC_ROOT"] = str(root)
        add_pictures(root / "images", range(n), GENERATED_PX)
        file = Path(weights).resolve()
        if network:
            file = root / "backbone.safetensors"
            random_weights(network, file)
        memory, start = dict[str, float](), time.process_time()
        with most_resident(memory):
            seconds = four_steps(root / "images", root / "out", file, 1, INPUT_PX, near)
            seconds |= head(root / "out")
        cpu_ms = 1e3 * (time.process_time() - start) / n
    ms = {step: 1e3 * seconds[step] / n for step in (*OUTS, "head")}
    return {"n": n, **memory, "ms": ms, "cpu_ms": cpu_ms}


def _options(n: Sequence[int], network: str, near: str, name: str) -> str:
    """What differs from the defaults, as it is typed."""
    found = f" --network {network}" if network else ""
    found += f" --near-duplicates {near}" if near != NEAR else ""
    found += "".join(f" --n {number}" for number in n if tuple(n) != NUMBERS)
    return found + (f" --name {name}" if name != "scale" else "")


@click.command(help=__doc__)
@click.option("--n", multiple=True, default=NUMBERS, show_default=True)
@click.option("--weights", default="data/0_source/backbone.safetensors", show_default=True)
@click.option(
    "--network", default="", help="random weights of this network of timm, in their place"
)
@click.option(
    "--near-duplicates", "near", type=click.Choice([NEAR, "off"]), default=NEAR, show_default=True,
    help="as index_images.near_duplicates",
)  # fmt: skip
@click.option("--name", default="scale", show_default=True, help="of the file in bench/results")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
@click.option("--one", default=0, hidden=True, help="this number, in this process")
def main(
    n: tuple[int, ...], weights: str, network: str, near: str, name: str, results: Path, one: int
) -> None:
    if one:
        click.echo(json.dumps(at(one, weights, network, near)))
        return
    rows = []
    for number in n:
        start = time.perf_counter()
        command = [sys.executable, "-m", "bench.scale", "--one", str(number)]
        command += ["--weights", str(Path(weights).resolve()), "--network", network]
        command += ["--near-duplicates", near]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.strip().splitlines()[-1]))
        took = time.perf_counter() - start
        click.echo(f"{number} pictures: {json.dumps(rows[-1])}, {took:.0f} s", err=True)
    found = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": f"python -m bench.scale{_options(n, network, near, name)}",
        "generated_px": GENERATED_PX, "size_px": INPUT_PX,
        "scale": rows,
    }  # fmt: skip
    write_result(results, found)
    click.echo(scale_table(found))


if __name__ == "__main__":
    main()
