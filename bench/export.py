"""Measure the exports of a trained network: size, time and score of each form.

Run: pip install -e '.[export,executorch]'
     python -m bench.export      (two minutes; fills docs/export.md)

MODEL is a checkpoint in a project whose stages have run. Scores are of the plain view of the labelled
pictures of valid, at most --n of them. Times are for one picture by itself on the CPU, the median; the
forms follow each other, because onnxruntime's threads spin for a while after a call.
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from bench.compare import machine
from bench.export_table import PAGE
from bench.tables import RESULTS, filled, write_result
from headstart.backbone.device import PLAIN_CPU, RuntimeParams, prepare
from headstart.commands.export import N_CALIBRATED
from headstart.commands.project_pictures import project_pictures
from headstart.exporting.about import text
from headstart.exporting.forms import FORMS
from headstart.exporting.graph import graph_of
from headstart.exporting.int8 import quantise
from headstart.exporting.parity import in_batches, milliseconds, network_run, score
from headstart.exporting.pixels import Run
from headstart.labels.task import SCORE
from headstart.network.restored import restored
from headstart.use.saved_networks import read_networks


def measured(model: Path, n: int, folder: Path) -> dict[str, Any]:
    """Write every form of `model` into `folder`, and run each on at most `n` pictures of valid."""
    content = read_networks(model)
    info = content.info
    project = project_pictures(model, info)
    if project is None:
        raise click.ClickException(f"{model} is not in a project that has its pictures.")
    valid = project.labels.labelled("valid")[:n]
    pixels, targets = project.squares(valid), project.labels.targets(valid)
    files = {name: folder / f"network.{name}" for name in FORMS}
    for name, form in FORMS.items():
        form.write(graph_of(content), info.size_px, files[name], text(info, form.batch))
    calibrated = project.squares(project.labels.ids("train")[:N_CALIBRATED])
    quantise(files["onnx"], folder / "int8.onnx", calibrated)
    network = network_run(restored(content, model, PLAIN_CPU), info.task, info.temperature)
    exact = in_batches(network, pixels)
    runs: dict[str, tuple[Path, Run]] = {
        "headstart": (model, network),
        "pt2": (files["pt2"], FORMS["pt2"].load(files["pt2"])),
        "onnx": (files["onnx"], FORMS["onnx"].load(files["onnx"])),
        "onnx, int8": (folder / "int8.onnx", FORMS["onnx"].load(folder / "int8.onnx")),
        "executorch": (files["executorch"], FORMS["executorch"].load(files["executorch"])),
    }
    rows = [
        {
            "form": form_name,
            "megabytes": path.stat().st_size / 1e6,
            "ms": milliseconds(run, pixels),
            "score": score(run, pixels, targets, info),
            "max_dp": float(np.abs(in_batches(run, pixels) - exact).max()),
        }
        for form_name, (path, run) in runs.items()
    ]
    about = {"architecture": info.architecture, "size_px": info.size_px, "score": SCORE[info.task]}
    return {**about, "n_valid": len(valid), "export": rows}


@click.command(help=__doc__)
@click.argument(
    "model", type=click.Path(path_type=Path, exists=True),
    default="data/4_checkpoints/model.safetensors",
)  # fmt: skip
@click.option("--n", default=500, show_default=True, help="pictures of valid")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
def main(model: Path, n: int, results: Path) -> None:
    prepare(RuntimeParams(precision="fp32", deterministic=False))
    with tempfile.TemporaryDirectory() as folder:
        found = measured(model, n, Path(folder))
    about = {"when": datetime.now(UTC).date().isoformat(), "machine": machine()}
    write_result(results, {"name": "export", "command": "python -m bench.export", **about, **found})
    PAGE.write_text(filled(PAGE.read_text(), results))


if __name__ == "__main__":
    main()
