"""What folding frozen batch norms into convolutions buys: time of both ways in turn, and memory.

Run: PYTHONPATH=src python -m bench.folded

The same network with its norms folded and as timm computes them: seconds of a forward pass without
gradients (32 pictures) and of a training step with frozen statistics (16), the median of interleaved
rounds; megabytes that a training step keeps for its backward pass.
"""

import copy
import statistics
import time
from typing import Any

import click
import torch
from torch import Tensor, nn

from headstart.backbone.backbone import Backbone
from headstart.backbone.device import RuntimeParams, prepare


def unfolded(backbone: Backbone) -> Backbone:
    """A copy whose layers compute as their classes do."""
    twin = copy.deepcopy(backbone)
    for module in twin.model.modules():
        for name in ("forward", "norm"):
            module.__dict__.pop(name, None)
    return twin


def seconds(run: Any) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def step(network: nn.Module, pictures: Tensor) -> None:
    network.zero_grad()
    network(pictures).square().mean().backward()


def kept_mb(network: nn.Module, pictures: Tensor) -> float:
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(pictures)
    return sum(sizes.values()) / 1e6


@click.command(help=__doc__)
@click.option("--rounds", default=7, show_default=True)
@click.option("--size-px", default=224, show_default=True)
def main(rounds: int, size_px: int) -> None:
    prepare(RuntimeParams(precision="fp32", deterministic=True))
    pictures = torch.randint(0, 256, (32, size_px, size_px, 3), dtype=torch.uint8)
    pictures = pictures.permute(0, 3, 1, 2)
    click.echo("| network | forward, times as fast | training step | kept, MB | without, MB |")
    click.echo("|---|---|---|---|---|")
    for name in ("tf_efficientnet_lite0", "resnet34"):
        folded = Backbone.create(name).eval().requires_grad_(True)
        ways = (folded, unfolded(folded))
        forward: list[list[float]] = [[], []]
        training: list[list[float]] = [[], []]
        for number in range(1 + rounds):
            for way, network in enumerate(ways):
                with torch.inference_mode():
                    of_forward = seconds(lambda network=network: network(pictures))
                of_step = seconds(lambda network=network: step(network, pictures[:16]))
                if number:  # the first warms up
                    forward[way].append(of_forward)
                    training[way].append(of_step)
        ratios = [
            statistics.median(as_it_is) / statistics.median(of_folded)
            for of_folded, as_it_is in (forward, training)
        ]
        kept = [kept_mb(network, pictures[:16]) for network in ways]
        click.echo(
            f"| {name} | {ratios[0]:.2f} | {ratios[1]:.2f} | {kept[0]:.0f} | {kept[1]:.0f} |"
        )


if __name__ == "__main__":
    main()
