"""backbone.weights → backbone: bring pretrained weights into timm's names, and check them."""

from pathlib import Path

import click

from headstart import lines, live
from headstart.learn.backbone import BackboneParams
from headstart.params import load_section
from headstart.steps.fetch_weights import fetch_weights
from headstart.store.reports import write_json
from headstart.store.sources import read_weights_source
from headstart.store.tensors import read_source, write_tensors
from headstart.terminal import PlainCommand

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--backbone", type=FILE, required=True, help="where to write the weights")
@click.option("--metrics", type=FILE, required=True, help="number and size of the tensors")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(backbone: Path, metrics: Path, run_file: Path) -> None:
    """Fetch the weights."""
    params = load_section("backbone", BackboneParams)
    with live.stage_run("fetch-weights", run_file, {"backbone": params}) as run:
        source = read_weights_source(params.weights)
        weights = fetch_weights(source, read_source(source), params)
        write_tensors(backbone, weights)
        write_json(metrics, weights.counts())
        run.metrics(weights.counts())
        run.says(lines.fetch_weights(params.name, weights.counts()), backbone)


if __name__ == "__main__":
    main()
