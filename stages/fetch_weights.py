"""backbone.weights → backbone: pretrained weights, renamed as in timm and checked."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.backbone.backbone import BackboneParams
from headstart.backbone.tensors import write_tensors
from headstart.checks.whole_file import load_section
from headstart.fetching.weights_sources import read_source, read_weights_source
from headstart.project.files import write_json
from headstart.steps.fetch_weights import fetch_weights
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--backbone", type=FILE, required=True, help="where to write the weights")
@click.option("--metrics", type=FILE, required=True, help="number and size of the tensors")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(backbone: Path, metrics: Path, run_file: Path) -> None:
    """Fetch the weights."""
    params = load_section("backbone", BackboneParams)
    source = read_weights_source(params.weights)  # before the run: one that is absent fails no run
    with live.stage_run("fetch-weights", run_file, {"backbone": params}) as run:
        weights = fetch_weights(source, read_source(source), params)
        write_tensors(backbone, weights)
        write_json(metrics, weights.counts())
        run.metrics(weights.counts())
        run.says(lines.fetch_weights(params.name, weights.counts()), backbone)


if __name__ == "__main__":
    main()
