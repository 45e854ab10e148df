"""`headstart predict` and `headstart check-gradients`: a trained network at a terminal."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.params import load_section

if TYPE_CHECKING:
    import torch

    from headstart.learn.device import Compute
    from headstart.learn.network import Network
    from headstart.learn.pictures import Pictures
    from headstart.picture_files import PictureFile
    from headstart.store.checkpoints import Checkpoint, CheckpointInfo

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
ANY_PATH = click.Path(path_type=Path)  # what is wrong with it is told beside the others' rows

BAR_AFTER_S = 2.0


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("pictures", type=ANY_PATH, nargs=-1, required=True)
def predict(checkpoint: Path, pictures: tuple[Path, ...]) -> None:
    """Tell the class of each of PICTURES by the fine-tuned network in CHECKPOINT, as CSV.

    Each file goes the way that the pipeline's own pictures went, so its probabilities are those that
    the pipeline measured (the plain ones, without test-time augmentation). Of a network for many
    labels a picture: the labels that reach the thresholds in CHECKPOINT, with spaces between them.

    A file that cannot be read is named on stderr and left out; the others are predicted, and the exit
    status is 1.

    \b
    headstart predict data/4_checkpoints/model.safetensors photo.jpg other.png
    """
    import numpy as np
    from tqdm import tqdm

    from headstart.learn.device import RuntimeParams, forward_batch, prepare
    from headstart.learn.inference import network_logits
    from headstart.learn.objective import Objective
    from headstart.picture_files import read_files

    content = _read(checkpoint)
    info, objective = content.info, Objective(content.info.task)
    single = info.task == "single_label"
    if not single and "plain" not in info.thresholds:
        raise click.ClickException(
            f"{checkpoint} holds no thresholds; name data/4_checkpoints/model.safetensors, which "
            "tta-evaluate writes."
        )
    machine = prepare(RuntimeParams(precision="auto", deterministic=True))
    compute = machine.predicting_in(info.precision)
    for sentence in _differences(checkpoint, info, compute):
        click.echo(sentence, err=True)
    networks = _networks(content, checkpoint, compute)

    def rows(files: "Sequence[PictureFile]") -> Iterator[list[object]]:
        shown, ids = _pictures(files, info, compute.device)
        members = [objective.probabilities(network_logits(net, shown, ids)) for net in networks]
        probabilities = np.mean(members, axis=0)  # of an ensemble
        for file, row in zip(files, probabilities, strict=True):
            decided = [row.argmax()] if single else (row >= info.thresholds["plain"]).nonzero()[0]
            labels = " ".join(info.classes[int(k)] for k in decided)
            yield [click.format_filename(file.path), labels, *(f"{p:.4f}" for p in row)]

    click.echo(_csv([["picture", "class" if single else "labels", *info.classes]]), nl=False)
    files = tqdm(
        read_files(pictures, info.preprocessing), "predict", len(pictures), unit=" pictures",
        delay=BAR_AFTER_S, leave=False, disable=None, file=sys.stderr,
    )  # fmt: skip
    n_left_out = 0

    def readable() -> "Iterator[PictureFile]":
        nonlocal n_left_out
        for file in files:
            if file.problem:
                n_left_out += 1
                with tqdm.external_write_mode():
                    click.echo(_unreadable(file), err=True)
            else:
                yield file

    found = readable()
    while batch := list(islice(found, forward_batch(compute.device))):
        text = _csv(rows(batch))
        with tqdm.external_write_mode():
            click.echo(text, nl=False)
    if n_left_out:
        click.echo(f"{n_left_out} of {len(pictures)} files are left out.", err=True)
        sys.exit(1)


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
    from headstart.picture_files import read_files

    optimizer = load_section("optimizer_finetune", FinetuneOptimizerParams)
    machine = prepare(RuntimeParams(precision="fp32", deterministic=True))
    content = _read(checkpoint)
    info, files = content.info, list(read_files(pictures, content.info.preprocessing))
    if problems := [_unreadable(file) for file in files if file.problem]:
        raise click.ClickException("\n".join(problems))
    network = _networks(content, checkpoint, machine)[0]
    shown, ids = _pictures(files, info, machine.device)
    batch = next(shown.plain([ids]))
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


def _read(path: Path) -> "Checkpoint":
    """The checkpoint of whole networks at `path`."""
    from headstart.store.checkpoints import CheckpointError, read_checkpoint

    try:
        content = read_checkpoint(path)
    except CheckpointError as error:
        raise click.ClickException(str(error)) from None
    if content.info.kind == "head":
        raise click.ClickException(
            f"{path} holds a head without its backbone; name the fine-tuned checkpoint."
        )
    return content


def _networks(content: "Checkpoint", path: Path, compute: "Compute") -> "list[Network]":
    """The networks of a checkpoint, in evaluation mode."""
    import json

    from headstart.learn.backbone import restore_backbone
    from headstart.learn.head import restore_head
    from headstart.learn.network import Network

    info = content.info
    about = {
        "architecture": info.architecture,
        "mean": json.dumps(info.mean),
        "std": json.dumps(info.std),
    }
    networks = []
    for member in content.members():
        backbone = restore_backbone(about, member.part("backbone"), str(path)).on(compute)
        head = restore_head(member.part("head"), info.dropout)
        networks.append(Network(backbone, head).to(compute.device).eval())
    return networks


def _pictures(
    files: "Sequence[PictureFile]", info: "CheckpointInfo", device: "torch.device"
) -> "tuple[Pictures, list[str]]":
    """Files as the network of `info` is shown them, and their ids."""
    from headstart.learn.pictures import Pictures
    from headstart.picture_files import StoredFiles

    of_files = StoredFiles({str(file.path): file.stored for file in files}, info.preprocessing)
    pictures = Pictures.of(of_files, info.size_px, info.frame, device)
    return pictures, [str(file.path) for file in files]


def _differences(path: Path, info: "CheckpointInfo", compute: "Compute") -> Iterator[str]:
    """Why predictions here are not, to the last digit, those that were measured."""
    import PIL

    if others := info.preprocessing.pillows() - {PIL.__version__}:
        yield (
            f"{path} was scored on pictures made by Pillow {' and '.join(sorted(others))}, but "
            f"{PIL.__version__} is installed: probabilities may differ a little."
        )
    if info.precision != compute.inference_precision:
        yield (
            f"{path} was scored in {info.precision}, which this device ({compute.device}) has no "
            f"units for: it predicts in {compute.inference_precision}, and probabilities differ a "
            "little."
        )


def _unreadable(file: "PictureFile") -> str:
    return f"{click.format_filename(file.path)} cannot be read: {file.problem.rstrip('.')}."


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
