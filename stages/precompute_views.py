"""resized + train ids + backbone → activations/views: activations of augmented views of train."""

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
from headstart.pictures.table import read_ids
from headstart.project.files import write_json
from headstart.steps.precompute_views import PrecomputeViewsParams, precompute_views
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--resized", type=FILE, required=True, help="stored pictures")
@click.option("--train-ids", type=FILE, required=True, help="ids of the pictures of train")
@click.option("--weights", type=FILE, required=True, help="the frozen backbone")
@click.option(
    "--activations", type=FILE, required=True, help="folder of the activations, a folder per size"
)
@click.option("--metrics", type=FILE, required=True, help="number and size")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    resized: Path, train_ids: Path, weights: Path, activations: Path, metrics: Path, run_file: Path
) -> None:
    """Compute the views."""
    body = load_section("backbone", BackboneParams)
    augment = load_section("augment", AugmentParams)
    params = load_section("precompute_views", PrecomputeViewsParams)
    runtime = load_section("runtime", RuntimeParams)
    sections = {
        "backbone": body,
        "augment": augment,
        "precompute_views": params,
        "runtime": runtime,
    }
    with live.stage_run("precompute-views", run_file, sections) as run:
        stored, backbone = ResizedPictures(resized), load_backbone(weights).on(prepare(runtime))
        pictures = Pictures.of(stored, body.size_px, body.frame(), backbone.compute.device)
        ids, kept = read_ids(train_ids), Remembered()
        once = rows_once(stored.sha256, kept)
        looks = (
            FrozenBackbone(backbone, pictures.at(size, run), run, once)
            for size in body.cached_sizes()
        )
        computations = (
            precompute_views(look, ids, stored.digest, augment, params) for look in looks
        )
        counts = write_activations(activations, body.size_px, computations)
        kept.lie_in(row_places(activations))
        write_json(metrics, counts)
        run.metrics(counts)
        run.says(lines.stored(counts), activations)


if __name__ == "__main__":
    main()
