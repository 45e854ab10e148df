"""Memory and time of a training step: as usual, with activations computed again, and in two parts.

Run: python -m bench.checkpointing     (needs no pictures; CPU)

Each way runs in fresh processes, turn about. Memory is the largest resident set during the steps,
less what is resident before the first: activations, gradients and what operations need meanwhile.
Time is that of the processor, all threads together, so a busy machine changes it little. Batch norms
are frozen, and precisions are those of `auto`.
"""

import json
import os
import resource
import subprocess
import sys
import time
from datetime import date
from statistics import median

import click
import psutil
import torch
from torch import nn

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
    "both": (True, 2),
}
"""Of each way: whether activations are checkpointed, and n_accumulate."""


def measured(name: str, way: str, size_px: int, batch: int, n_steps: int) -> dict[str, float]:
    """Median CPU seconds of a step, and the MB that the steps needed at most."""
    checkpoints, n_accumulate = WAYS[way]
    compute = prepare(RuntimeParams(precision="auto", deterministic=True))
    torch.manual_seed(0)
    backbone = Backbone.create(name, sizes=[size_px]).on(compute).eval()
    network, split = Network(backbone, nn.Linear(backbone.n_features, 3)), Split(n_accumulate)
    if checkpoints:
        checkpoint_activations(backbone.model, name)
    pictures, targets = torch.rand(batch, 3, size_px, size_px) * 255, torch.arange(batch) % 3
    before, seconds = psutil.Process().memory_info().rss, []
    for _ in range(n_steps + 1):  # the first warms up
        network.zero_grad()
        began = time.process_time()
        parts = (
            Part(pictures[place.first :][: place.n], targets[place.first :][: place.n], place)
            for place in split.places(batch)
        )
        split.gradients(network, Objective("single_label"), parts)
        seconds.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"s": median(seconds[1:]), "mb": (peak - before) / 1e6}


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
        way: {key: median(run[key] for run in runs) for key in ("s", "mb")}
        for way, runs in found.items()
    }


def rows(name: str, found: dict[str, dict[str, float]]) -> list[str]:
    """A row a way in Markdown, beside the first way."""
    usual = next(iter(found.values()))
    return [
        f"| `{name}` | {way} | {run['mb']:.0f} | {run['mb'] / usual['mb']:.2f} | {run['s']:.2f} | "
        f"{run['s'] / usual['s']:.2f} |"
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
    click.echo("| network | | MB | times | CPU s a step | times |\n|---|---|---|---|---|---|")
    arguments = ["--size-px", str(size_px), "--batch", str(batch), "--steps", str(n_steps)]
    for name in names:
        click.echo("\n".join(rows(name, in_turn(name, rounds, arguments))))
    click.echo(
        f"\n{size_px} px, {batch} pictures a step, {os.cpu_count()} cores "
        f"(load {os.getloadavg()[0]:.1f}), torch {torch.__version__}, {date.today()}"
    )


if __name__ == "__main__":
    main()
