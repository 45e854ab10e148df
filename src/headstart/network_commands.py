"""`headstart predict` and `headstart check-gradients`: a trained network at a terminal."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.params import load_section

if TYPE_CHECKING:
    from PIL import Image

    from headstart.learn.device import Compute
    from headstart.learn.network import Network
    from headstart.learn.pictures import Pictures
    from headstart.store.checkpoints import CheckpointInfo

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("pictures", type=FILE, nargs=-1, required=True)
def predict(checkpoint: Path, pictures: tuple[Path, ...]) -> None:
    """Tell the class of each of PICTURES by the fine-tuned network in CHECKPOINT, as CSV.

    Of a network for many labels a picture: the labels that reach the thresholds in CHECKPOINT, with
    spaces between them.

    \b
    headstart predict data/4_checkpoints/model.safetensors photo.jpg other.png
    """
    from headstart.learn.device import RuntimeParams, prepare
    from headstart.learn.inference import network_logits
    from headstart.learn.objective import Objective

    runtime = RuntimeParams(precision="auto", deterministic=True)
    networks, info, shown = _open(checkpoint, prepare(runtime))
    files = [str(path) for path in pictures]
    objective = Objective(info.task)
    members = [objective.probabilities(network_logits(net, shown, files)) for net in networks]
    probabilities = sum(members[1:], members[0]) / len(members)  # of an ensemble, the mean
    single = info.task == "single_label"
    if not single and "plain" not in info.thresholds:
        raise click.ClickException(
            f"{checkpoint} holds no thresholds; name data/4_checkpoints/model.safetensors, which "
            "tta-evaluate writes."
        )
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["picture", "class" if single else "labels", *info.classes])
    for path, row in zip(pictures, probabilities, strict=True):
        decided = [row.argmax()] if single else (row >= info.thresholds["plain"]).nonzero()[0]
        labels = " ".join(info.classes[int(k)] for k in decided)
        table.writerow([path, labels, *(f"{p:.4f}" for p in row)])
    click.echo(text.getvalue(), nl=False)


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("pictures", type=FILE, nargs=-1, required=True)
def check_gradients(checkpoint: Path, pictures: tuple[Path, ...]) -> None:
    """Compare the gradients that each precision gives on PICTURES with those of float64.

    A cosine below 0.99 means that the precision trains on wrong gradients; a stage refuses it.
    Rates and batch norms are those of section optimizer_finetune in params.yaml.

    \b
    headstart check-gradients data/4_checkpoints/finetuned.safetensors photo*.jpg
    """
    import torch

    from headstart.learn.device import RuntimeParams, prepare
    from headstart.learn.gradients import MIN_COSINE, gradient_cosine
    from headstart.learn.objective import Objective
    from headstart.learn.phases import FinetuneOptimizerParams, set_mode

    optimizer = load_section("optimizer_finetune", FinetuneOptimizerParams)
    machine = prepare(RuntimeParams(precision="fp32", deterministic=True))
    (network, *_), info, shown = _open(checkpoint, machine)
    batch = next(shown.plain([[str(path) for path in pictures]]))
    # which class is wanted plays no part in how exact a gradient is
    targets = torch.arange(len(batch), device=batch.device) % len(info.classes)
    if info.task == "multi_label":
        targets = torch.nn.functional.one_hot(targets, len(info.classes))
    for name in ("auto", "fp32", "bf16"):
        cosine = gradient_cosine(
            network,
            lambda copy: set_mode(copy, 0, optimizer),
            (batch, targets),
            Objective(info.task).loss,
            prepare(RuntimeParams(precision=name, deterministic=True)),
        )
        verdict = "may train" if cosine >= MIN_COSINE else "must not train"
        click.echo(f"{name}: cosine {cosine:.4f}, {verdict} (bn_freeze: {optimizer.bn_freeze})")


def _open(checkpoint: Path, compute: "Compute") -> "tuple[list[Network], CheckpointInfo, Pictures]":
    """The networks of a checkpoint, in evaluation mode, and a reader of files for them."""
    import json

    from headstart.core.rgb import decode_rgb
    from headstart.learn.backbone import restore_backbone
    from headstart.learn.head import restore_head
    from headstart.learn.network import Network
    from headstart.learn.pictures import Pictures
    from headstart.store.checkpoints import CheckpointError, read_checkpoint

    try:
        content = read_checkpoint(checkpoint)
    except CheckpointError as error:
        raise click.ClickException(str(error)) from None
    info = content.info
    if info.kind == "head":
        raise click.ClickException(
            f"{checkpoint} holds a head without its backbone; name the fine-tuned checkpoint."
        )
    about = {
        "architecture": info.architecture,
        "mean": json.dumps(info.mean),
        "std": json.dumps(info.std),
    }
    networks = []
    for member in content.members():
        backbone = restore_backbone(about, member.part("backbone"), str(checkpoint)).on(compute)
        head = restore_head(member.part("head"), info.dropout)
        networks.append(Network(backbone, head).to(compute.device).eval())

    def decode(path: str) -> "Image.Image":
        return decode_rgb(Path(path).read_bytes())

    pictures = Pictures(decode, info.size_px, info.frame, compute.device)
    return networks, info, pictures
