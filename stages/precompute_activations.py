"""resized + backbone → activations/plain: pooled activations of the plain view of each picture."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.activations.computed import row_places, write_activations
from headstart.activations.frozen import FrozenBackbone
from headstart.backbone.backbone import BackboneParams, load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.kept.records import rows_once
from headstart.kept.remembered import Remembered
from headstart.pictures.resized import ResizedPictures
from headstart.project.files import write_json
from headstart.steps.precompute_activations import precompute_activations
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.views.pictures import Pictures

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--resized", type=FILE, required=True, help="stored pictures")
@click.option("--weights", type=FILE, required=True, help="the frozen backbone")
@click.option(
    "--activations", type=FILE, required=True, help="folder of the activations, a folder per size"
)
@click.option("--metrics", type=FILE, required=True, help="number and size")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(resized: Path, weights: Path, activations: Path, metrics: Path, run_file: Path) -> None:
    """Compute the plain activations."""
    params = load_section("backbone", BackboneParams)
    runtime = load_section("runtime", RuntimeParams)
    with live.stage_run(
        "precompute-activations", run_file, {"backbone": params, "runtime": runtime}
    ) as run:
        stored, backbone = ResizedPictures(resized), load_backbone(weights).on(prepare(runtime))
        device = backbone.compute.device
        pictures = Pictures.of(stored, params.size_px, params.frame(), device)
        kept = Remembered()
        once = rows_once(stored.sha256, kept)
        looks = (
            FrozenBackbone(backbone, pictures.at(size, run), run, once)
            for size in params.cached_sizes()
        )
        computations = (precompute_activations(look, stored.ids, stored.digest) for look in looks)
        counts = write_activations(activations, params.size_px, computations)
        kept.lie_in(row_places(activations))
        write_json(metrics, counts)
        run.metrics(counts)
        run.says(lines.stored(counts), activations)


if __name__ == "__main__":
    main()
