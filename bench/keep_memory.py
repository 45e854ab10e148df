"""What keeping freed memory buys: one network's passes with and without it, in turn.

Run: PYTHONPATH=src python -m bench.keep_memory

Each round starts two fresh processes, one a way, and prints pictures a second of a forward pass in
bf16 (where the chip multiplies it) and of a training step in fp32; then the median ratio.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import click
import torch

from headstart.backbone import device
from headstart.backbone.backbone import Backbone

NAME, SIZE_PX, BATCH, N_STEPS = "tf_efficientnet_lite0", 240, 32, 4


def measure(keep: bool) -> dict[str, float]:
    """Pictures a second in this process."""
    if not keep:
        device._keep_freed_memory = lambda: None
    runtime = device.RuntimeParams(precision="auto", deterministic=True)
    backbone = Backbone.create(NAME).on(device.prepare(runtime, {"HEADSTART_DEVICE": "cpu"}))
    pictures = torch.rand(BATCH, 3, SIZE_PX, SIZE_PX) * 255

    def forward() -> None:
        with torch.inference_mode():
            backbone.eval()(pictures)

    def step() -> None:
        backbone.train()(pictures).sum().backward()

    return {"forward": rate(forward), "training step": rate(step)}


def rate(run: Callable[[], None]) -> float:
    run()
    start = time.perf_counter()
    for _ in range(N_STEPS):
        run()
    return BATCH * N_STEPS / (time.perf_counter() - start)


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True, help="pairs of processes")
@click.option("--one", type=bool, hidden=True, help="measure in this process")
def main(rounds: int, one: bool | None) -> None:
    if one is not None:
        click.echo(json.dumps(measure(one)))
        return
    ratios: dict[str, list[float]] = {}
    for number in range(rounds):
        pair = []
        for keep in (True, False):
            command = [sys.executable, "-m", "bench.keep_memory", "--one", str(keep)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            pair.append(json.loads(done.stdout))
        for what, kept in pair[0].items():
            ratios.setdefault(what, []).append(kept / pair[1][what])
            click.echo(
                f"round {number + 1}, {what}: {kept:.1f} kept, {pair[1][what]:.1f} not, img/s"
            )
    for what, values in ratios.items():
        click.echo(f"{what}: {statistics.median(values):.2f} times as fast ({NAME}, {SIZE_PX} px)")


if __name__ == "__main__":
    main()
