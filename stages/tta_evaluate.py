"""resized + labels + backbone + checkpoints → predictions: plain and TTA, scored side by side."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.backbone.backbone import load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.evaluation.headline import headline
from headstart.kept.records import rows_once
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import read_checkpoint, write_checkpoint
from headstart.network.objective import Objective
from headstart.pictures.resized import ResizedPictures
from headstart.prediction.predictions import write_predictions
from headstart.prediction.predictor import Predictor, Trained
from headstart.project.files import write_json
from headstart.steps.tta_evaluate import TtaEvaluateParams, tta_evaluate
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--resized", type=FILE, required=True, help="stored pictures")
@click.option("--labels", type=FILE, required=True, help="classes and splits")
@click.option("--weights", type=FILE, required=True, help="the frozen backbone of the heads")
@click.option("--checkpoint", "files", type=FILE, multiple=True, help="in order (repeat)")
@click.option("--snapshots", type=FILE, required=True, help="the ends of cycles, an ensemble")
@click.option("--model", type=FILE, required=True, help="the final network and its thresholds")
@click.option("--predictions", type=FILE, multiple=True, help="one checkpoint's (repeat)")
@click.option("--metrics", type=FILE, required=True, help="scores with intervals")
@click.option("--headline", "few", type=FILE, required=True, help="the numbers to compare by")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    resized: Path, labels: Path, weights: Path, files: tuple[Path, ...], snapshots: Path,
    model: Path, predictions: tuple[Path, ...], metrics: Path, few: Path, run_file: Path,
) -> None:  # fmt: skip
    """Predict and score."""
    params = load_section("tta_evaluate", TtaEvaluateParams)
    augment = load_section("augment", AugmentParams)
    runtime = load_section("runtime", RuntimeParams)
    sections = {"tta_evaluate": params, "augment": augment, "runtime": runtime}
    files += (snapshots,) if params.snapshots else ()
    with live.stage_run("tta-evaluate", run_file, sections) as run:
        checkpoints = {path.stem: read_checkpoint(path) for path in files}
        backbone, final = load_backbone(weights).on(prepare(runtime)), [*checkpoints.values()][-1]
        stored, info = ResizedPictures(resized), final.info
        pictures = Pictures.of(stored, info.full_px, info.frame, backbone.compute.device)
        trained = {name: Trained(c.states(), c.info.size_px) for name, c in checkpoints.items()}
        predict = Predictor(
            backbone, trained, pictures, augment, params.n_views, params.seed, Objective(info.task),
            run, rows_once(stored.sha256),
        )  # fmt: skip
        evaluation = tta_evaluate(read_labels(labels), predict, params)
        shown = pictures.at(info.size_px, run).preprocessing
        scored = final.as_scored(shown, backbone.compute.inference_precision)
        write_checkpoint(model, scored.with_thresholds(evaluation.thresholds))
        for path in predictions:
            write_predictions(path, evaluation.predictions[path.stem])
        write_json(metrics, evaluation.metrics)
        write_json(few, headline(evaluation.metrics))
        run.metrics(evaluation.metrics)
        run.says(lines.scored(evaluation.metrics), metrics)


if __name__ == "__main__":
    main()
