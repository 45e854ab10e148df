"""Time one fine-tuning epoch of headstart, or of torchvision's reference loop, and print JSON.

Run by bench.compare, in one process per run: python -m bench.epoch ours --setting '{…}'

`reference` does what torchvision's scripts do, in fp32: a random resized crop, a flip and a
normalisation of each picture in the workers of a DataLoader, then forward, loss, backward and a
step of SGD. `ours` trains at `runtime.precision: auto`. Both train all layers from the same
backbone and the same fresh head, and score valid at the end of each epoch. The second of two epochs
is timed; the first warms up. `ours` also prints the cosine of its gradients with those of float64.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import click
import torch
from torch import Tensor, nn

from bench.pictures import SPARE, indexed, listed, stored
from headstart.backbone import torchvision_ops
from headstart.backbone.backbone import BackboneParams, load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.backbone.teams import Teams
from headstart.checks.whole_file import load_section
from headstart.network.head import HeadParams, create_head
from headstart.network.network import Network
from headstart.network.objective import Scores
from headstart.project.report import Report, Silent
from headstart.training.fit import Trainer
from headstart.training.gradients import gradient_cosine
from headstart.training.material import Material, Phase
from headstart.training.parts import Split
from headstart.training.phases import FinetuneOptimizerParams, PhaseParams, network_phase, set_mode
from headstart.training.picture_source import PictureSource
from headstart.training.sampling import SamplingParams, balanced
from headstart.views.augment import AugmentParams
from headstart.views.inference import network_logits
from headstart.views.pictures import Pictures

LR = 1e-4
AS_THEY_ARE = SamplingParams(balance="none", strength=1.0, max_factor=10.0)
PHASE = {"trainable": "all", "size_px": "full", "lr": LR, "cycles": 1, "cycle_len": 2}
PHASE |= {"cycle_mult": 1, "schedule": "sgdr", "warmup_frac": 0.05}


def fresh_network(weights: Path, n_classes: int, threads: int) -> Network:
    compute = prepare(RuntimeParams(precision="auto", deterministic=True))
    if threads:
        torch.set_num_threads(threads)
    backbone = load_backbone(weights).on(compute)
    torch.manual_seed(0)
    head = create_head(backbone.n_features, n_classes, load_section("head", HeadParams))
    return Network(backbone, head).to(compute.device)


class Prepared(NamedTuple):
    """Everything for an epoch of `ours`: all layers train; a picture is decoded at its first use."""

    trainer: Trainer
    views: PictureSource  # of train
    evaluate: Callable[[], Scores]  # on valid
    optimizer: FinetuneOptimizerParams

    def phase(self, n_epochs: int, evaluate: Callable[[], Scores] | None) -> Phase:
        params = PhaseParams.model_validate(PHASE | {"cycle_len": n_epochs})
        material = Material(self.views, evaluate)
        network = cast(Network, self.trainer.model)
        return network_phase(network, params, self.optimizer, LR, material)


def prepared(setting: dict[str, Any], folder: Path, report: Report) -> Prepared:
    """Index the pictures by their folders, store them in `folder`, and set up the training."""
    files = listed(Path(setting["pictures"]), folder / "images")
    index = indexed(files, "given")
    labels = index.labels
    resized = stored(files, index, folder, round(SPARE * setting["size_px"]))
    network = fresh_network(Path(setting["weights"]), len(labels.classes), setting["threads"])
    frame = load_section("backbone", BackboneParams).frame()
    device = network.backbone.compute.device
    pictures = Pictures.of(resized, setting["size_px"], frame, device).remembered()
    train, valid = labels.labelled("train"), labels.labelled("valid")
    targets = labels.targets(train)
    sampler, objective = balanced(labels.task, targets, len(labels.classes), AS_THEY_ARE)
    optimizer = load_section("optimizer_finetune", FinetuneOptimizerParams)
    optimizer = optimizer.model_copy(update={"batch_size": setting["batch"]})

    def evaluate() -> Scores:
        return objective.scores(network_logits(network, pictures, valid), labels.targets(valid))

    views = PictureSource(pictures, train, targets, load_section("augment", AugmentParams), 0)
    split = Split(teams=Teams.of(device) if setting.get("teams", True) else None)
    trainer = Trainer(network, sampler, optimizer, objective, 0, report, split=split)
    return Prepared(trainer, views, evaluate, optimizer)


def ours(setting: dict[str, Any], folder: Path) -> dict[str, float]:
    made = prepared(setting, folder, Silent())
    ends: list[tuple[float, float]] = []  # of each epoch: time of its end, accuracy

    def evaluate() -> Scores:
        scores = made.evaluate()
        ends.append((time.perf_counter(), scores.score))
        return scores

    network, trainer = cast(Network, made.trainer.model), made.trainer
    part = next(next(trainer.batches(made.views, 0)))
    cosine = gradient_cosine(
        network, lambda twin: set_mode(twin, 0, made.optimizer), (part.inputs, part.targets),
        trainer.objective.loss, network.backbone.compute,
    )  # fmt: skip
    trainer.fit([made.phase(2, evaluate)])
    (first, _), (second, accuracy) = ends
    return {"seconds": second - first, "accuracy": accuracy, "cosine": cosine}


def reference(setting: dict[str, Any]) -> dict[str, float]:
    torchvision_ops.declare_missing()
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder as Pictures
    from torchvision.transforms import v2

    size = setting["size_px"]
    as_input = [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.5] * 3),
    ]
    views = {
        "train": v2.Compose([v2.RandomResizedCrop(size), v2.RandomHorizontalFlip(), *as_input]),
        "valid": v2.Compose([v2.Resize(round(SPARE * size)), v2.CenterCrop(size), *as_input]),
    }
    loaders: dict[str, Any] = {
        split: DataLoader(
            Pictures(str(Path(setting["pictures"], split)), transform),
            batch_size=setting["batch"], shuffle=split == "train", num_workers=setting["n_workers"],
        )
        for split, transform in views.items()
    }  # fmt: skip
    classes = loaders["train"].dataset.classes
    network = fresh_network(Path(setting["weights"]), len(classes), setting["threads"])
    body: Any = network.backbone.model.requires_grad_(True)
    body, head = body.to(memory_format=torch.contiguous_format), network.head
    device = network.backbone.compute.device

    def logits(pictures: Tensor) -> Tensor:
        maps = body.forward_features(pictures)
        found: Tensor = head(torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], dim=1))
        return found

    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], LR, momentum=0.9)
    seconds, accuracy = 0.0, 0.0
    for _ in range(2):
        start = time.perf_counter()
        body.train()
        head.train()
        for pictures, targets in loaders["train"]:
            loss = nn.functional.cross_entropy(logits(pictures.to(device)), targets.to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        body.eval()
        head.eval()
        with torch.inference_mode():
            right = [
                (logits(x.to(device)).argmax(1).cpu() == y).float() for x, y in loaders["valid"]
            ]
        accuracy = float(torch.cat(right).mean())
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "accuracy": accuracy}


@click.command(help=__doc__)
@click.argument("who", type=click.Choice(["ours", "reference"]))
@click.option("--setting", required=True, help="JSON: pictures, weights, size_px, batch, …")
def main(who: str, setting: str) -> None:
    found = json.loads(setting)
    if who == "reference":
        click.echo(json.dumps(reference(found)))
        return
    with tempfile.TemporaryDirectory() as folder:
        click.echo(json.dumps(ours(found, Path(folder))))


if __name__ == "__main__":
    main()
