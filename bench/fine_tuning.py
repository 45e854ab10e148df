"""Measure how batch norm, rate and precision affect fine-tuning, on the project's pictures.

Run: dvc repro train-augmented && python -m bench.fine_tuning

Each variant fine-tunes the network of `train-augmented` for a cycle of one epoch and a cycle of
two, once per seed. After each epoch valid is scored twice: first as the network is, then with the
running statistics of trained batch norms recomputed from training pictures. If the second score is
higher, the statistics lag behind the features; the weights are not to blame for that difference.

The gradient check is the cosine of one batch's gradients with float64 gradients, over all parameters,
with dropout off.
"""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

from headstart.backbone.backbone import load_backbone
from headstart.backbone.device import Compute, RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.commands.spread import mean_and_sd
from headstart.labels.labels import Labels, read_labels
from headstart.network.checkpoints import Checkpoint, read_checkpoint
from headstart.network.network import Network, join
from headstart.network.objective import Scores
from headstart.pictures.resized import ResizedPictures
from headstart.project.report import Silent
from headstart.training.fit import Trainer
from headstart.training.gradients import gradient_cosine
from headstart.training.material import Material
from headstart.training.phases import FinetuneOptimizerParams, PhaseParams, network_phase, set_mode
from headstart.training.picture_source import PictureSource
from headstart.training.sampling import SamplingParams, balanced
from headstart.views.augment import AugmentParams
from headstart.views.inference import id_batches, network_logits
from headstart.views.pictures import Pictures

COURSE: dict[str, Any] = {"name": "sgd", "weight_decay": 0.0, "lr": 1e-2, "lr_ratio": 10.0}
OURS: dict[str, Any] = {"name": "adamw", "weight_decay": 0.01, "lr": 3e-4, "lr_ratio": 3.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "sgd 1e-2, ratio 10; none": COURSE | {"bn_freeze": "none"},
    "sgd 1e-2, ratio 10; all": COURSE | {"bn_freeze": "all"},
    "adamw 3e-4, ratio 3; none": OURS | {"bn_freeze": "none"},
    "adamw 3e-4, ratio 3; none, bn_momentum 0.5": OURS | {"bn_freeze": "none", "bn_momentum": 0.5},
    "adamw 3e-4, ratio 3; backbone": OURS | {"bn_freeze": "backbone"},
    "adamw 3e-4, ratio 3; all": OURS | {"bn_freeze": "all"},
    "adamw 1e-3, ratio 3; all": OURS | {"bn_freeze": "all", "lr": 1e-3},
}


@dataclass
class Setting:
    """Everything that all variants share."""

    start: Checkpoint
    weights: Path
    pictures: Pictures
    labels: Labels
    augment: AugmentParams
    compute: Compute
    n_train: int
    n_again: int

    def network(self) -> Network:
        """The network of train-augmented."""
        backbone = load_backbone(self.weights).on(self.compute)
        return join(backbone, self.start.info.weights, self.start.part("head"), (0.0, 0.2))


@dataclass
class Scored:
    """Accuracies on valid: at the start, then after each epoch."""

    plain: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)


def optimizer_of(variant: dict[str, Any]) -> FinetuneOptimizerParams:
    """The variant as a section of params.yaml."""
    values: dict[str, Any] = {"momentum": 0.9, "clip_norm": 0.0, "batch_size": 16, "n_groups": 3}
    values |= {"n_accumulate": 1, "decay_ratio": 1.0, "dropout": (0.0, 0.2), "bn_momentum": "own"}
    values |= {key: value for key, value in variant.items() if key != "lr"}
    return FinetuneOptimizerParams.model_validate(values)


def with_statistics_again(
    network: Network, mode: Callable[[Network], object], pictures: Pictures, ids: Sequence[str]
) -> Network:
    """A copy whose trained batch norms have statistics of the plain views of `ids`."""
    twin = copy.deepcopy(network)
    mode(twin)
    running = [
        m for m in twin.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training
    ]
    twin.eval()
    for norm in running:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
        norm.train()
    with torch.no_grad():
        for batch in pictures.plain(id_batches(ids, pictures.device)):
            twin(batch)
    return twin.eval()


def fine_tuned(setting: Setting, variant: dict[str, Any], seed: int) -> Scored:
    """Fine-tune a variant for both cycles, and score it at the start and after each epoch."""
    optimizer, network, labels = optimizer_of(variant), setting.network(), setting.labels
    train, valid = labels.labelled("train")[: setting.n_train], labels.labelled("valid")
    targets = labels.targets(train)
    as_they_are = SamplingParams(balance="none", strength=1.0, max_factor=10.0)
    sampler, objective = balanced(labels.task, targets, len(labels.classes), as_they_are)
    scored = Scored()

    def score() -> Scores:
        twin = with_statistics_again(
            network, lambda n: set_mode(n, 0, optimizer), setting.pictures, train[: setting.n_again]
        )
        for net, scores in ((network, scored.plain), (twin, scored.again)):
            logits = network_logits(net, setting.pictures, valid)
            found = objective.scores(logits, labels.targets(valid))
            scores.append(found.score)
        return found

    source = PictureSource(setting.pictures, train, targets, setting.augment, seed)
    material = Material(source, score)
    cycles = {"cycles": 2, "cycle_len": 1, "cycle_mult": 2, "schedule": "sgdr", "warmup_frac": 0.05}
    params = PhaseParams.model_validate(
        {"trainable": "all", "size_px": "full", "lr": variant["lr"], **cycles}
    )
    phase = network_phase(network, params, optimizer, variant["lr"], material)
    score()
    Trainer(network, sampler, optimizer, objective, seed, Silent()).fit([phase])
    return scored


def cosines(setting: Setting) -> dict[str, dict[str, float]]:
    """Cosine of the gradients with float64 gradients, by precision and `bn_freeze`."""
    ids = setting.labels.labelled("train")[:16]
    batch = next(setting.pictures.plain([ids]))
    targets = torch.from_numpy(setting.labels.targets(ids))

    def cosine(dtype: torch.dtype, freeze: str) -> float:
        optimizer = optimizer_of(OURS | {"bn_freeze": freeze})
        return gradient_cosine(
            setting.network(),
            partial(set_mode, first=0, optimizer=optimizer),
            (batch, targets),
            nn.functional.cross_entropy,
            Compute(setting.compute.device, dtype, dtype),
        )

    return {
        name: {freeze: cosine(dtype, freeze) for freeze in ("none", "backbone", "all")}
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }


@click.command(help=__doc__)
@click.option("--seeds", default=3, show_default=True, help="runs a variant")
@click.option("--n-train", default=600, show_default=True, help="training pictures")
@click.option("--n-again", default=256, show_default=True, help="pictures for new statistics")
@click.option("--only", default="", help="variants whose name has this in it")
@click.option("--gradients", is_flag=True, help="the second table; slow where bf16 is emulated")
@click.option("--json", "out", type=click.Path(path_type=Path), help="all numbers, as they come")
def main(
    seeds: int, n_train: int, n_again: int, only: str, gradients: bool, out: Path | None
) -> None:
    """Run all variants and print the tables."""
    data, compute = Path("data"), prepare(RuntimeParams(precision="fp32", deterministic=True))
    start = read_checkpoint(data / "4_checkpoints/augmented.safetensors")
    stored = ResizedPictures(data / "2_resized")
    size, frame = start.info.full_px, start.info.frame
    setting = Setting(
        start,
        data / "0_source/backbone.safetensors",
        Pictures.of(stored, size, frame, compute.device),
        read_labels(data / "1_index/labels.parquet"),
        load_section("augment", AugmentParams),
        compute,
        n_train,
        n_again,
    )
    found: dict[str, list[Scored]] = {name: [] for name in VARIANTS if only in name}
    for seed in range(seeds):
        for name in found:
            found[name].append(fine_tuned(setting, VARIANTS[name], seed))
            if out:
                accuracy = {of: [vars(run) for run in runs] for of, runs in found.items()}
                out.write_text(json.dumps(accuracy, indent=1))
            click.echo(f"{name}, seed {seed}: {found[name][-1].plain}", err=True)
    click.echo("| variant; bn_freeze | start | epoch 1 | epoch 2 | epoch 3 | epoch 2, again |")
    click.echo("|---|---|---|---|---|---|")
    for name, runs in found.items():
        columns = [[run.plain[i] for run in runs] for i in range(4)]
        columns.append([run.again[2] for run in runs])
        cells = [mean_and_sd(values, digits=3) for values in columns]
        click.echo(f"| {name} | {' | '.join(cells)} |")
    if not gradients:
        return
    click.echo("\n| cosine of gradients | none | backbone | all |\n|---|---|---|---|")
    for name, by_freeze in cosines(setting).items():
        cells = [f"{cosine:.4f}" for cosine in by_freeze.values()]
        click.echo(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
