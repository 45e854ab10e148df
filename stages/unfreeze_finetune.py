"""resized + labels + backbone + augmented + suggestion → checkpoints: fine-tune the network."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage(together=True)  # before torch is loaded, in each of HEADSTART_PROCS processes

from pathlib import Path

import click

from headstart.backbone.backbone import load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import read_checkpoint, write_checkpoint
from headstart.pictures.resized import ResizedPictures
from headstart.project.files import read_json, write_csv, write_json
from headstart.steps.unfreeze_finetune import ROOMS, UnfreezeFinetuneParams, unfreeze_finetune
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.training.kept_training import KeptTraining
from headstart.training.lr_curve import Suggestion
from headstart.training.phases import FinetuneOptimizerParams
from headstart.training.ranks import joined_ranks
from headstart.training.sampling import SamplingParams
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--resized", type=FILE, required=True, help="stored pictures")
@click.option("--labels", type=FILE, required=True, help="classes and splits")
@click.option("--weights", type=FILE, required=True, help="the frozen backbone")
@click.option("--head", type=FILE, required=True, help="the augmented head")
@click.option("--suggestion", type=FILE, required=True, help="of find-lr-finetune, for lr: auto")
@click.option("--checkpoint", type=FILE, required=True, help="where to write the network")
@click.option("--snapshots", type=FILE, required=True, help="where to write the snapshots")
@click.option("--epochs", type=FILE, required=True, help="CSV with one row per epoch")
@click.option("--metrics", type=FILE, required=True, help="of the last epoch and of the kept one")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    resized: Path, labels: Path, weights: Path, head: Path, suggestion: Path, checkpoint: Path,
    snapshots: Path, epochs: Path, metrics: Path, run_file: Path,
) -> None:  # fmt: skip
    """Unfreeze and fine-tune."""
    params = load_section("unfreeze_finetune", UnfreezeFinetuneParams)
    optimizer = load_section("optimizer_finetune", FinetuneOptimizerParams)
    augment = load_section("augment", AugmentParams)
    sampling = load_section("sampling", SamplingParams)
    runtime = load_section("runtime", RuntimeParams)
    sections = {"unfreeze_finetune": params, "optimizer_finetune": optimizer, "augment": augment}
    sections |= {"sampling": sampling, "runtime": runtime}
    with joined_ranks() as ranks, live.stage_run("unfreeze-finetune", run_file, sections) as run:
        start, backbone = read_checkpoint(head), load_backbone(weights).on(prepare(runtime))
        stored, advice = ResizedPictures(resized), Suggestion(**read_json(suggestion))
        info, device, meaning = start.info, backbone.compute.device, read_labels(labels)
        pictures = Pictures.of(stored, info.full_px, info.frame, device).remembered()
        inputs = (resized, labels, weights, head, suggestion, Path(__file__))
        training, ends = unfreeze_finetune(
            backbone, start, pictures, meaning, augment, params, optimizer, sampling, advice, run,
            KeptTraining(run, ROOMS, inputs, backbone.compute, n_processes=ranks.n), ranks,
        )  # fmt: skip
        ranks.leave_to_first()
        write_checkpoint(checkpoint, training.checkpoint)
        write_checkpoint(snapshots, ends)
        write_csv(epochs, training.epochs)
        write_json(metrics, training.metrics)
        run.metrics(training.metrics)
        run.artifact(epochs)
        run.says(lines.fine_tuned(training.metrics), epochs)


if __name__ == "__main__":
    main()
