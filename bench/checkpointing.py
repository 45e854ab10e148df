"""Memory and time of a training step: as usual, with activations computed again, and in two parts.

Run: python -m bench.checkpointing     (needs no pictures; CPU)

Each way runs in fresh processes, turn about. "Tensors" is the most memory that the tensors made by a
step have at one time: activations, gradients and what operations need meanwhile. "Resident" is the
largest resident set during the steps, less what is resident before the first. Time is that of the
processor, all threads together, so a busy machine changes it little. Batch norms are frozen, and
precisions are those of `auto`.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from itertools import accumulate
from pathlib import Path
from statistics import median

import click
import psutil
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from headstart.backbone.backbone import Backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.network.network import Network
from headstart.network.objective import Objective
from headstart.training.activation_checkpointing import checkpoint_activations
from headstart.training.parts import Part, Split

WAYS = {
    "as usual": (False, 1),
    "`checkpoint_activations: true`": (True, 1),
    "`n_accumulate: 2`": (False, 2),
}
"""Of each way: whether activations are checkpointed, and n_accumulate."""

COLUMNS = {"tensors": "tensors, MB", "resident": "resident, MB", "s": "CPU s a step"}


def measured(name: str, way: str, size_px: int, batch: int, n_steps: int) -> dict[str, float]:
    """The COLUMNS of a way: MB, and the median CPU seconds of a step."""
    checkpoints, n_accumulate = WAYS[way]
    compute = prepare(RuntimeParams(precision="auto", deterministic=True))
    torch.manual_seed(0)
    backbone = Backbone.create(name, sizes=[size_px]).on(compute).eval()
    network, split = Network(backbone, nn.Linear(backbone.n_features, 3)), Split(n_accumulate)
    if checkpoints:
        checkpoint_activations(backbone.model, name)
    pictures, targets = torch.rand(batch, 3, size_px, size_px) * 255, torch.arange(batch) % 3

    def step() -> None:
        network.zero_grad()
        parts = (
            Part(pictures[place.first :][: place.n], targets[place.first :][: place.n], place)
            for place in split.places(batch)
        )
        split.gradients(network, Objective("single_label"), parts)

    before, seconds = psutil.Process().memory_info().rss, []
    for _ in range(n_steps + 1):  # the first warms up
        began = time.process_time()
        step()
        seconds.append(time.process_time() - began)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    network.zero_grad()
    return {"tensors": tensors(step) / 1e6, "resident": resident / 1e6, "s": median(seconds[1:])}


def tensors(run: Callable[[], object]) -> float:
    """The most bytes that are allocated at one time while it runs, beyond those before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = [event for event in events if event.get("name") == "[memory]"]
    changes.sort(key=lambda event: event["ts"])
    return float(max(accumulate(event["args"]["Bytes"] for event in changes)))


def in_turn(name: str, rounds: int, arguments: list[str]) -> dict[str, dict[str, float]]:
    """Medians of fresh processes, of each way."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, runs in found.items():
            command = [sys.executable, "-m", "bench.checkpointing", *arguments]
            command += ["--network", name, "--way", way]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout))
    return {
        way: {key: median(run[key] for run in runs) for key in COLUMNS}
        for way, runs in found.items()
    }


def rows(name: str, found: dict[str, dict[str, float]]) -> list[str]:
    """A row a way in Markdown, beside the first way."""
    usual = next(iter(found.values()))
    return [
        " | ".join(
            [f"| `{name}` | {way}"]
            + [
                f"{run[key]:.{2 if key == 's' else 0}f} | {run[key] / usual[key]:.2f}"
                for key in COLUMNS
            ]
        )
        + " |"
        for way, run in found.items()
    ]


@click.command(help=__doc__)
@click.option(
    "--network", "names", multiple=True, show_default=True,
    default=("resnet34", "vit_small_patch16_224", "tf_efficientnet_lite0"),
)  # fmt: skip
@click.option("--size-px", default=224, show_default=True)
@click.option("--batch", default=32, show_default=True)
@click.option("--steps", "n_steps", default=3, show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--way", type=click.Choice(list(WAYS)), hidden=True, help="of this process")
def main(
    names: tuple[str, ...], size_px: int, batch: int, n_steps: int, rounds: int, way: str | None
) -> None:
    if way:
        print(json.dumps(measured(names[0], way, size_px, batch, n_steps)))
        return
    head = "".join(f" {title} | times |" for title in COLUMNS.values())
    click.echo(f"| network | |{head}\n{'|---' * (2 + 2 * len(COLUMNS))}|")
    arguments = ["--size-px", str(size_px), "--batch", str(batch), "--steps", str(n_steps)]
    for name in names:
        click.echo("\n".join(rows(name, in_turn(name, rounds, arguments))))
    click.echo(
        f"\n{size_px} px, {batch} pictures a step, {os.cpu_count()} cores "
        f"(load {os.getloadavg()[0]:.1f}), torch {torch.__version__}, {date.today()}"
    )


if __name__ == "__main__":
    main()
