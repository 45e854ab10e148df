"""Measure what each fast path of the backbone saves: with all, with all but one, and with none.

Run: python -m bench.fast_paths        (the machine must be idle)

Each way runs in a fresh process in each round. The table has the fastest call of all rounds, since
other work on the machine can only slow a call down: pictures per second of a frozen forward pass, and
of a training step whose norms are frozen, both at the precisions of `auto`. Beside each stands the
speed-up of all paths together over it. Then come the megabytes that a step keeps for its backward pass.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from typing import Any
from unittest.mock import patch

import click
import torch
from torch import Tensor

from headstart.backbone.backbone import Backbone
from headstart.backbone.device import FORWARD_BATCH, RuntimeParams, prepare
from headstart.backbone.fast.switch import SWITCH

N_STEPS, STEP_BATCH = 6, 16
ALL, NONE = "nothing", "all of them"
SPEEDS = ("forward", "step")


def pad_same(conv: Any, x: Tensor) -> Tensor:
    """Pad as timm itself does."""
    from timm.layers.padding import pad_same

    padded: Tensor = pad_same(x, conv.kernel_size, conv.stride, conv.dilation)
    return padded


# For each path, the functions that replace it when it is left out.
WITHOUT: dict[str, dict[str, Callable[..., Any]]] = {
    "folded norms": {"backbone.fold_frozen_norms": lambda model, trial_px: 0},
    "clipping convolutions": {
        "fast.folded.clip_of": lambda norm, x: None,
        "fast.folded.padded_as_tensorflow": pad_same,
    },
    "a backward pass of ours": {"backbone.CpuBackward": lambda dtype: nullcontext()},
    "kept memory": {"device.keep_freed_memory": lambda: None},
    "memory left as it is": {"device.leave_new_memory_as_it_is": lambda: None},
}


def measure(name: str, size_px: int, way: str) -> dict[str, float]:
    """Measure one network in this process, without the path `way`."""
    with ExitStack() as stack:
        for place, instead in WITHOUT.get(way, {}).items():
            stack.enter_context(patch(f"headstart.backbone.{place}", instead))
        compute = prepare(RuntimeParams(precision="auto", deterministic=True))
        backbone = Backbone.create(name).on(compute).eval()
        pictures = torch.rand(FORWARD_BATCH, 3, size_px, size_px, device=compute.device) * 255

        def forward() -> None:
            with torch.inference_mode():
                backbone(pictures)

        def step() -> None:
            backbone.zero_grad()
            backbone(pictures[:STEP_BATCH]).square().mean().backward()

        speeds = {"forward": FORWARD_BATCH / seconds(forward), "step": STEP_BATCH / seconds(step)}
        return speeds | {"kept_mb": kept_mb(lambda: backbone(pictures[:STEP_BATCH]))}


def seconds(run: Callable[[], object]) -> float:
    """Seconds of the fastest of N_STEPS calls, after one that warms up."""
    run()
    taken = []
    for _ in range(N_STEPS):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def kept_mb(run: Callable[[], object]) -> float:
    """MB that a forward pass keeps for its backward pass."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(sizes.values()) / 1e6


def in_process(name: str, size_px: int, way: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.fast_paths", "--network", name]
    command += ["--size-px", str(size_px), "--without", way]
    environment = os.environ | {SWITCH: "1" if way == NONE else "0"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True)
@click.option("--size-px", default=224, show_default=True)
@click.option(
    "--network", "names", multiple=True, default=("tf_efficientnet_lite0", "resnet34"),
    show_default=True,
)  # fmt: skip
@click.option("--without", "way", hidden=True, help="measure this way in this process")
def main(rounds: int, size_px: int, names: tuple[str, ...], way: str | None) -> None:
    if way:
        click.echo(json.dumps(measure(names[0], size_px, way)))
        return
    click.echo("| network | without | frozen, pictures/s | times | step, pictures/s | times | MB |")
    click.echo("|---|---|---|---|---|---|---|")
    for name in names:
        ways = (ALL, *WITHOUT, NONE)
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for number in range(rounds):
            for way in sorted(ways, reverse=number % 2 == 1):  # the first way alternates
                found[way].append(in_process(name, size_px, way))
        best = {
            way: {what: max(one[what] for one in of_way) for what in of_way[0]}
            for way, of_way in found.items()
        }
        for way in ways:
            cells = [
                f"{best[way][what]:.1f} | {best[ALL][what] / best[way][what]:.2f}"
                for what in SPEEDS
            ]
            click.echo(f"| {name} | {way} | {' | '.join(cells)} | {best[way]['kept_mb']:.0f} |")


if __name__ == "__main__":
    main()
