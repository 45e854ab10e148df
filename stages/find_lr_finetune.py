"""resized + labels + backbone + augmented → report: the range test of the whole network."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from dataclasses import asdict
from pathlib import Path

import click

from headstart.backbone.backbone import load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import read_checkpoint
from headstart.pictures.resized import ResizedPictures
from headstart.project.files import write_csv, write_json
from headstart.steps.find_lr_finetune import ROOMS, FindLrFinetuneParams, find_lr_finetune
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.training.kept_training import KeptTraining
from headstart.training.lr_curve import suggest
from headstart.training.phases import FinetuneOptimizerParams
from headstart.training.sampling import SamplingParams
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--resized", type=FILE, required=True, help="stored pictures")
@click.option("--labels", type=FILE, required=True, help="classes and splits")
@click.option("--weights", type=FILE, required=True, help="the frozen backbone")
@click.option("--head", type=FILE, required=True, help="the augmented head")
@click.option("--curve", type=FILE, required=True, help="CSV of rate and losses")
@click.option(
    "--suggestion", type=FILE, required=True, help="JSON of the rate, or why there is none"
)
@click.option("--metrics", type=FILE, required=True, help="the suggestion as a number")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    resized: Path, labels: Path, weights: Path, head: Path, curve: Path, suggestion: Path,
    metrics: Path, run_file: Path,
) -> None:  # fmt: skip
    """Find a learning rate for fine-tuning."""
    params = load_section("find_lr_finetune", FindLrFinetuneParams)
    optimizer = load_section("optimizer_finetune", FinetuneOptimizerParams)
    augment = load_section("augment", AugmentParams)
    sampling = load_section("sampling", SamplingParams)
    runtime = load_section("runtime", RuntimeParams)
    sections = {"find_lr_finetune": params, "optimizer_finetune": optimizer, "augment": augment}
    sections |= {"sampling": sampling, "runtime": runtime}
    with live.stage_run("find-lr-finetune", run_file, sections) as run:
        start, backbone = read_checkpoint(head), load_backbone(weights).on(prepare(runtime))
        stored, meaning = ResizedPictures(resized), read_labels(labels)
        info, device = start.info, backbone.compute.device
        pictures = Pictures.of(stored, info.full_px, info.frame, device).remembered()
        inputs = (resized, labels, weights, head, Path(__file__))
        found = find_lr_finetune(
            backbone, start, pictures, meaning, augment, params, optimizer, sampling, run,
            KeptTraining(run, ROOMS, inputs, backbone.compute),
        )  # fmt: skip
        advice = suggest(found, params.rule)
        write_csv(curve, found.table().assign(suggested_lr=advice.lr))
        write_json(suggestion, asdict(advice), sealed=True)
        write_json(metrics, advice.metrics())
        run.metrics(advice.metrics())
        run.artifact(curve)
        run.says(lines.range_test(advice), curve)


if __name__ == "__main__":
    main()
