"""`headstart predict` and `headstart check-gradients`: a trained network at a terminal."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.checks.whole_file import load_section

if TYPE_CHECKING:
    from headstart.commands.picture_files import PictureFile
    from headstart.network.checkpoints import CheckpointInfo
    from headstart.network.network import Network

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
ANY_PATH = click.Path(path_type=Path)  # a bad one is reported while the others are predicted


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("pictures", type=ANY_PATH, nargs=-1, required=True)
def predict(checkpoint: Path, pictures: tuple[Path, ...]) -> None:
    """Predict the class of each of PICTURES by the fine-tuned network in CHECKPOINT, as CSV.

    Each file is stored, decoded and cropped like the pipeline's own pictures, so the probabilities are
    the same as in the pipeline (the plain ones, without test-time augmentation). Where a picture may
    have several labels, the CSV lists the labels that reach the thresholds in CHECKPOINT, separated by
    spaces.

    A file that cannot be read is named on stderr and left out; the others are predicted, and the exit
    status is 1.

    \b
    headstart predict data/4_checkpoints/model.safetensors photo.jpg other.png
    """
    from tqdm import tqdm

    from headstart.backbone.device import RuntimeParams, forward_batch, prepare
    from headstart.commands.picture_files import read_files
    from headstart.commands.saved_networks import differences, read_networks, restored

    content = read_networks(checkpoint)
    info = content.info
    if info.task == "multi_label" and "plain" not in info.thresholds:
        raise click.ClickException(
            f"{checkpoint} holds no thresholds; use data/4_checkpoints/model.safetensors, which "
            "tta-evaluate writes."
        )
    machine = prepare(RuntimeParams(precision="auto", deterministic=True))
    compute = machine.predicting_in(info.precision)
    for sentence in differences(checkpoint, info, compute):
        click.echo(sentence, err=True)
    networks = restored(content, checkpoint, compute)
    decided = "class" if info.task == "single_label" else "labels"
    click.echo(_csv([["picture", decided, *info.classes]]), nl=False)
    n_batch = forward_batch(compute.device)
    files = tqdm(
        read_files(pictures, info.preprocessing), "predict", len(pictures), unit=" pictures",
        leave=False, disable=len(pictures) <= n_batch or None, file=sys.stderr,
    )  # fmt: skip
    readable, n_predicted = _readable(files), 0
    while batch := list(islice(readable, n_batch)):
        text = _csv(_rows(batch, networks, info))
        with tqdm.external_write_mode():
            click.echo(text, nl=False)
        n_predicted += len(batch)
    if n_predicted < len(pictures):
        n_left_out = len(pictures) - n_predicted
        click.echo(f"{n_left_out} of {len(pictures)} files were left out.", err=True)
        sys.exit(1)


def _readable(files: "Iterable[PictureFile]") -> "Iterator[PictureFile]":
    """The files that are pictures; every other file is named on stderr."""
    from tqdm import tqdm

    for file in files:
        if not file.problem:
            yield file
            continue
        with tqdm.external_write_mode():
            click.echo(_unreadable(file), err=True)


def _rows(
    files: "Sequence[PictureFile]", networks: "Sequence[Network]", info: "CheckpointInfo"
) -> Iterator[list[str]]:
    """For each file: its name, its class or labels, and the probability of each class."""
    import numpy as np

    from headstart.commands.picture_files import shown
    from headstart.network.objective import Objective
    from headstart.views.inference import network_logits

    objective = Objective(info.task)
    pictures, ids = shown(files, info, networks[0].backbone.compute.device)
    members = [objective.probabilities(network_logits(net, pictures, ids)) for net in networks]
    for file, row in zip(files, np.mean(members, axis=0), strict=True):  # of an ensemble, the mean
        reached = [row.argmax()]
        if info.task == "multi_label":
            reached = (row >= info.thresholds["plain"]).nonzero()[0]
        labels = " ".join(info.classes[int(k)] for k in reached)
        yield [click.format_filename(file.path), labels, *(f"{p:.4f}" for p in row)]


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("pictures", type=FILE, nargs=-1, required=True)
def check_gradients(checkpoint: Path, pictures: tuple[Path, ...]) -> None:
    """Compare the gradients that each precision gives on PICTURES with those of float64.

    A cosine below 0.99 means that the precision trains on wrong gradients; a stage refuses it.
    The batch norms are set as in section optimizer_finetune of params.yaml.

    \b
    headstart check-gradients data/4_checkpoints/finetuned.safetensors photo*.jpg
    """
    import torch

    from headstart.backbone.device import RuntimeParams, prepare
    from headstart.commands.picture_files import read_files, shown
    from headstart.commands.saved_networks import read_networks, restored
    from headstart.network.objective import Objective
    from headstart.training.gradients import MIN_COSINE, gradient_cosine
    from headstart.training.phases import FinetuneOptimizerParams, set_mode

    optimizer = load_section("optimizer_finetune", FinetuneOptimizerParams)
    machine = prepare(RuntimeParams(precision="fp32", deterministic=True))
    content = read_networks(checkpoint)
    info, files = content.info, list(read_files(pictures, content.info.preprocessing))
    if problems := [_unreadable(file) for file in files if file.problem]:
        raise click.ClickException("\n".join(problems))
    network = restored(content, checkpoint, machine)[0]
    shown_files, ids = shown(files, info, machine.device)
    batch = next(shown_files.plain([ids]))
    # any targets will do: how exact a gradient is does not depend on them
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


def _unreadable(file: "PictureFile") -> str:
    return f"{click.format_filename(file.path)} cannot be read: {file.problem.rstrip('.')}."


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
