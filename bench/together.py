"""Time of a training step in 1 and in 2 processes on this machine's cores.

Run: python -m bench.together         (prints one line; needs no pictures)
"""

import json
import os
import subprocess
import sys
import time
from statistics import median

if __name__ == "__main__" and "RANK" not in os.environ and "HEADSTART_PROCS" in os.environ:
    from headstart.terminal.processes import start_processes

    start_processes()

import click
import torch
from torch import nn

from headstart.backbone.backbone import Backbone
from headstart.network.network import Network
from headstart.network.objective import Objective
from headstart.training.parts import Part, Split
from headstart.training.ranks import joined_ranks

NAME, SIZE_PX, BATCH, N_WARM, N_STEPS = "resnet18", 128, 16, 2, 8


def steps() -> None:
    """Print the median time of a step, s, and how much of it all processes computed, as JSON."""
    with joined_ranks() as ranks:
        if threads := os.environ.get("HEADSTART_THREADS"):
            torch.set_num_threads(int(threads))
        torch.manual_seed(0)
        backbone = Backbone.create(NAME).eval()
        network, split = Network(backbone, nn.Linear(backbone.n_features, 3)), Split(1, ranks)
        [place] = split.places(BATCH)
        pictures = torch.rand(BATCH, 3, SIZE_PX, SIZE_PX)[place.first :][: place.n] * 255
        part = Part(pictures, torch.arange(place.n) % 3, place)
        times = []
        for _ in range(N_WARM + N_STEPS):
            network.zero_grad()
            began = time.perf_counter()
            split.gradients(network, Objective("single_label"), [part])
            times.append(time.perf_counter() - began)
        if ranks.is_first:
            print(json.dumps(median(times[N_WARM:])))


def of(n: int) -> float:
    """Seconds of a step in n processes."""
    environment = os.environ | {"HEADSTART_PROCS": str(n)}
    command = [sys.executable, "-m", "bench.together"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@click.command(help=__doc__)
def main() -> None:
    if "HEADSTART_PROCS" in os.environ:
        steps()
        return
    one, two, again = of(1), of(2), of(1)
    load = os.getloadavg()[0]
    click.echo(
        f"{NAME}, {SIZE_PX} px, {BATCH} pictures a step, {os.cpu_count()} cores (load {load:.1f}): "
        f"1 process {one:.2f} s and {again:.2f} s, 2 processes {two:.2f} s, "
        f"ratio {two / ((one + again) / 2):.2f}"
    )


if __name__ == "__main__":
    main()
