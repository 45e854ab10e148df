"""resized + labels + backbone + checkpoints → predictions/views: probabilities of each view."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.backbone.backbone import load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.kept.records import rows_once
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import read_checkpoint
from headstart.pictures.resized import ResizedPictures
from headstart.prediction.predictor import Predictor, Trained
from headstart.prediction.stored_views import write_views
from headstart.project.files import write_json
from headstart.steps.predict_views import PredictViewsParams, predict_views
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--resized", type=FILE, required=True, help="stored pictures")
@click.option("--labels", type=FILE, required=True, help="splits")
@click.option("--weights", type=FILE, required=True, help="the frozen backbone of the heads")
@click.option(
    "--checkpoint", "files", type=FILE, multiple=True, help="in the recipe's order (repeat)"
)
@click.option("--snapshots", type=FILE, required=True, help="ensemble of the snapshots")
@click.option("--views", type=FILE, required=True, help="folder of the probabilities")
@click.option("--about-final", type=FILE, required=True, help="JSON of the final checkpoint")
@click.option("--metrics", type=FILE, required=True, help="counts")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    resized: Path, labels: Path, weights: Path, files: tuple[Path, ...], snapshots: Path,
    views: Path, about_final: Path, metrics: Path, run_file: Path,
) -> None:  # fmt: skip
    """Predict each view."""
    params = load_section("predict_views", PredictViewsParams)
    augment = load_section("augment", AugmentParams)
    runtime = load_section("runtime", RuntimeParams)
    sections = {"predict_views": params, "augment": augment, "runtime": runtime}
    files += (snapshots,) if params.snapshots else ()
    with live.stage_run("predict-views", run_file, sections) as run:
        checkpoints = {path.stem: read_checkpoint(path) for path in files}
        backbone, final = load_backbone(weights).on(prepare(runtime)), [*checkpoints.values()][-1]
        stored, info = ResizedPictures(resized), final.info
        pictures = Pictures.of(stored, info.full_px, info.frame, backbone.compute.device)
        trained = {name: Trained(c.states(), c.info.size_px) for name, c in checkpoints.items()}
        predict = Predictor(
            backbone, trained, pictures, augment, params.n_views, params.seed, info.task, run,
            rows_once(stored.sha256),
        )  # fmt: skip
        said = predict_views(read_labels(labels), predict, params)
        write_views(views, said)
        shown = pictures.at(info.size_px, run).preprocessing
        scored = final.as_scored(shown, backbone.compute.inference_precision)
        write_json(about_final, scored.info.model_dump(mode="json"), sealed=True)
        write_json(metrics, said.counts())
        run.metrics(said.counts())
        run.says(lines.predicted(said.counts()), views)


if __name__ == "__main__":
    main()
