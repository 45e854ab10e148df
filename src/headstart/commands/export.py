"""`headstart export`: a trained network as a file that runs without headstart."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart.commands.project_pictures import ProjectPictures
    from headstart.exporting.forms import FormName
    from headstart.exporting.pixels import Run

N_CALIBRATED = 128  # pictures
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("model", type=FILE)
@click.option(
    "--to", "form_name", type=click.Choice(["onnx", "pt2", "executorch"]), required=True,
    help="Form of the file.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False),
    help="File to write (default: the name of MODEL, in this folder).",
)  # fmt: skip
@click.option(
    "--check", "files", type=click.Path(path_type=Path, exists=True), multiple=True, metavar="PATH",
    help="A picture, or a folder of pictures, to hold the file against the network on; may be "
    "repeated. Default: pictures of valid.",
)  # fmt: skip
@click.option("--int8", is_flag=True, help="Compute in 8 bits, calibrated on pictures of train.")
@click.option(
    "--max-loss", type=click.FloatRange(0, 1), default=0.01, show_default=True,
    help="With --int8: what the accuracy (F2 of many labels) on valid may lose.",
)  # fmt: skip
def export(
    model: Path, form_name: "FormName", out: Path | None, files: tuple[Path, ...], int8: bool,
    max_loss: float,
) -> None:  # fmt: skip
    """Write the network in the checkpoint MODEL as a file that runs without headstart.

    The file takes RGB pixels (N, S, S, 3), uint8, of the network's input size, and gives
    probabilities (N, K); for ExecuTorch, N is 1. Normalisation and calibration are inside. Its
    metadata say how a picture becomes these pixels, and hold the names and thresholds of the classes:
    docs/export.md. An ensemble becomes one file, which gives the mean.

    Before the file is put in its place, it is run on pictures. No probability may be further than
    1e-4 from the network's in float32. The times are for one picture by itself on the CPU.

    \b
    headstart export data/4_checkpoints/model.safetensors --to onnx
    headstart export data/4_checkpoints/model.safetensors --to onnx --int8 --max-loss 0.02
    headstart export data/4_checkpoints/model.safetensors --to pt2 --check /my/pictures
    headstart export data/4_checkpoints/model.safetensors --to executorch
    """
    from headstart.backbone.device import PLAIN_CPU, RuntimeParams, prepare
    from headstart.commands.checked_pictures import checked_on
    from headstart.commands.output_place import output_place
    from headstart.commands.project_pictures import project_pictures
    from headstart.exporting.about import text
    from headstart.exporting.forms import FORMS
    from headstart.exporting.graph import graph_of
    from headstart.exporting.parity import compare, network_run, require_parity
    from headstart.network.restored import restored
    from headstart.project.errors import HeadstartError
    from headstart.use.saved_networks import read_deciding

    form = FORMS[form_name]
    form.require()
    content = read_deciding(model)
    info = content.info
    if int8 and form_name != "onnx":
        raise HeadstartError(f"--int8 makes ONNX files alone, but --to is {form_name}.")
    prepare(RuntimeParams(precision="fp32", deterministic=False))
    project = project_pictures(model, info)
    if int8 and not (project and project.labels.ids("train") and project.labels.labelled("valid")):
        raise HeadstartError(
            "--int8 needs the pictures of train and labelled ones of valid on which the network was "
            f"trained, and {model} does not lie in a project that has them: run `dvc repro` there."
        )
    pixels, shown = checked_on(files, project, info)
    network = network_run(restored(content, model, PLAIN_CPU), info.task, info.temperature)
    target = out or Path(f"{model.stem}{'.int8' * int8}.{form.suffix}")
    with output_place(target) as partial:
        form.write(graph_of(content), info.size_px, partial, text(info, form.batch))
        parity = compare(form.load(partial), network, pixels)
        require_parity(parity, target, shown)
        ms, found = parity.ms, f"max |dp| {parity.max_dp:.1e} on {shown}"
        if int8 and project:
            ms, found = quantised(partial, form.load, project, max_loss, target)
        megabytes = partial.stat().st_size / 1e6
    if info.precision != "float32":
        click.echo(
            f"{model} was scored in {info.precision}; {target} computes in "
            f"{'int8' if int8 else 'float32'}, so probabilities may differ a little from the measured "
            "ones.",
            err=True,
        )
    click.echo(
        f"{target}: {megabytes:.1f} MB, {found}, {ms:.1f} ms a picture "
        f"(the network: {parity.network_ms:.1f} ms)"
    )


def quantised(
    partial: Path, load: "Callable[[Path], Run]", project: "ProjectPictures",
    max_loss: float, target: Path,
) -> tuple[float, str]:  # fmt: skip
    """Replace the float32 file `partial` by an int8 one; its milliseconds, and its score in words.

    Raises:
        HeadstartError: it loses more than `max_loss` of the score.
    """
    import numpy as np

    from headstart.exporting.int8 import quantise
    from headstart.exporting.parity import BATCH, milliseconds, score_of
    from headstart.labels.task import SCORE
    from headstart.project.beside import written_beside
    from headstart.project.errors import HeadstartError

    valid, train = project.labels.labelled("valid"), project.labels.ids("train")[:N_CALIBRATED]
    targets, info, pixels = project.labels.targets(valid), project.info, project.squares(train)
    with written_beside(partial) as smaller:
        quantise(partial, smaller, pixels)
        runs = load(partial), load(smaller)
        # a batch through both, so that no more than one is in memory
        said = [[run(batch) for run in runs] for batch in project.batches(valid, BATCH)]
        before, after = (
            score_of(np.concatenate(of_run), targets, info) for of_run in zip(*said, strict=True)
        )
        ms = milliseconds(runs[1], pixels)
    found = (
        f"{SCORE[info.task]} {after:.4f} on {len(valid)} pictures of valid (float32: {before:.4f})"
    )
    if before - after > max_loss:
        raise HeadstartError(
            f"{target} is not written: {found} loses {before - after:.4f}; --max-loss allows "
            f"{max_loss:g}."
        )
    return ms, found
