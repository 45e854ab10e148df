"""Walk timm's list: which networks can be a backbone, and why not the others.

One small network of each of timm's modules goes, with random weights, through what the stages do: it
is built for a small size, gives features, trains for one step in three layer groups, and is restored
from its tensors. Networks of more than 130 million parameters are left out. A result is written after
each network, so a walk that was broken off goes on where it stopped.

Run: python -m bench.networks     (writes bench/results/networks.json; several minutes)
"""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from headstart.backbone import torchvision_ops
from headstart.backbone.backbone import Backbone, restore_backbone
from headstart.backbone.seeding import torch_seed
from headstart.backbone.timm_models import UnsuitableBackboneError, built, own_px, takes
from headstart.network.head import HeadParams, create_head
from headstart.network.network import Network
from headstart.training.batch_norm import set_training_mode
from headstart.training.layer_groups import module_groups, parameter_groups

RESULT = Path(__file__).parent / "results/networks.json"
SIZES = (64, 128, 192, 224, 256)  # px; the first that fits
MAX_PARAMETERS = 130e6
SMALL = ("test_", "atto", "femto", "pico", "nano", "xxs", "xxt", "mini", "micro", "tiny", "_xs",
         "_ti", "_t0", "small", "_s0", "18", "b0")  # fmt: skip
"""Parts of names, the smallest network's first."""


class TookTooLongError(Exception):
    """A network had no result within its time."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise TookTooLongError in the block after `seconds`."""

    def stop(*_: object) -> None:
        raise TookTooLongError(f"it took longer than {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def smallest(names: list[str]) -> str:
    """The network whose name promises the least work."""

    def rank(name: str) -> tuple[int, int, str]:
        found = [number for number, part in enumerate(SMALL) if part in name]
        return min(found, default=len(SMALL)), len(name), name

    return min(names, key=rank)


def size_of(name: str) -> int:
    """The first of SIZES that the network takes; its own if there is none."""
    return next((px for px in SIZES if takes(name, px)), own_px(name))


def walked(name: str) -> dict[str, Any]:
    """Take one network through the stages' work.

    Returns:
        Name, size, pool, options, parameters, outcome (fits, fails, too large), and for one that
        fails the step at which it did, and why.
    """
    found: dict[str, Any] = {"network": name, "outcome": "fails", "step": "build"}
    try:
        found["size_px"] = px = size_of(name)
        with torch.device("meta"):
            on_paper = built(name, [px]).model
        found["n_parameters"] = sum(p.numel() for p in on_paper.parameters())
        if found["n_parameters"] > MAX_PARAMETERS:
            return found | {"outcome": "too large"}
        with torch_seed(0):
            backbone = Backbone.create(name, "auto", [px]).eval().requires_grad_(False)
            pictures = torch.rand(2, 3, px, px) * 255
        found |= {"pool": backbone.pool, "options": backbone.options, "step": "features"}
        _require(tuple(backbone(pictures).shape) == (2, backbone.n_features), "D is another")
        found["step"] = "training"
        network = _trained(backbone, pictures)
        found["step"] = "restoring"
        tensors = {key: tensor.clone() for key, tensor in backbone.model.state_dict().items()}
        again = restore_backbone(backbone.metadata(), tensors, name)
        network.eval()
        with torch.inference_mode():
            ours, its = backbone(pictures), again(pictures)
        # weights that train may be multiplied by another kernel, so not bit for bit
        _require(torch.allclose(ours, its, atol=1e-4 * float(ours.abs().max())), "features differ")
    except UnsuitableBackboneError as error:
        return found | {"reason": str(error)}
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        return found | {"reason": f"{type(error).__name__}: {reason}"}
    return found | {"outcome": "fits", "step": None}


def _trained(backbone: Backbone, pictures: Tensor) -> Network:
    """The backbone and a new head after one step in three groups, all of which learn."""
    with torch_seed(1):
        head = create_head(backbone.n_features, 2, HeadParams(hidden_units=8, dropout=(0.0, 0.0)))
    network = Network(backbone, head).requires_grad_(True)
    groups = parameter_groups(network, 3)
    set_training_mode(module_groups(network, 3), 0, "all")
    optimizer = torch.optim.AdamW([{"params": group} for group in groups], lr=1e-4)
    loss = torch.nn.functional.cross_entropy(network(pictures), torch.tensor([0, 1]))
    loss.backward()  # type: ignore[no-untyped-call]
    for number, group in enumerate(groups):
        _require(any(p.grad is not None for p in group), f"group {number} has no gradients")
    optimizer.step()
    return network


def _require(right: bool, problem: str) -> None:
    if not right:
        raise ValueError(problem)


@click.command(help=__doc__)
@click.option("--seconds", default=120, show_default=True, help="at most for one network")
def main(seconds: int) -> None:
    torchvision_ops.declare_missing()
    import timm

    result: dict[str, Any] = {"name": "networks", "timm": timm.__version__, "networks": {}}
    if RESULT.is_file():
        result = json.loads(RESULT.read_text())
    for module in timm.list_modules():
        names = timm.list_models(module=module)
        if not names or module in result["networks"]:
            continue
        start = time.perf_counter()
        try:
            with at_most(seconds):
                found = walked(smallest(names))
        except TookTooLongError as error:
            found = {"network": smallest(names), "outcome": "fails", "reason": str(error)}
        result["networks"][module] = {"n_networks": len(names), **found}
        result["networks"] = dict(sorted(result["networks"].items()))
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
        print(module, found, f"{time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
