"""views + activations + labels + head → checkpoints: train the head on augmented pictures."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.activations.stored import read_activations
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import read_checkpoint, write_checkpoint
from headstart.project.files import write_csv, write_json
from headstart.steps.train_augmented import ROOMS, TrainAugmentedParams, train_augmented
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.training.kept_training import KeptTraining
from headstart.training.optimizer import OptimizerParams
from headstart.training.sampling import SamplingParams

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--views", type=FILE, required=True, help="augmented views of train")
@click.option("--activations", type=FILE, required=True, help="plain views, for valid")
@click.option("--labels", type=FILE, required=True, help="classes and splits")
@click.option("--head", type=FILE, required=True, help="the head to continue")
@click.option("--checkpoint", type=FILE, required=True, help="where to write the head")
@click.option("--epochs", type=FILE, required=True, help="CSV with one row per epoch")
@click.option("--metrics", type=FILE, required=True, help="metrics of the last epoch")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    views: Path, activations: Path, labels: Path, head: Path, checkpoint: Path, epochs: Path,
    metrics: Path, run_file: Path,
) -> None:  # fmt: skip
    """Train the head on the views."""
    params = load_section("train_augmented", TrainAugmentedParams)
    optimizer = load_section("optimizer_head", OptimizerParams)
    sampling = load_section("sampling", SamplingParams)
    runtime = load_section("runtime", RuntimeParams)
    sections = {"train_augmented": params, "optimizer_head": optimizer}
    sections |= {"sampling": sampling, "runtime": runtime}
    with live.stage_run("train-augmented", run_file, sections) as run:
        augmented = read_activations(views)
        plain = read_activations(activations, weights=augmented.first().manifest.weights)
        start, meaning = read_checkpoint(head), read_labels(labels)
        compute, inputs = prepare(runtime), (views, activations, labels, head, Path(__file__))
        training = train_augmented(
            augmented, plain, meaning, start, params, optimizer, sampling, compute, run,
            KeptTraining(run, ROOMS, inputs, compute),
        )  # fmt: skip
        write_checkpoint(checkpoint, training.checkpoint)
        write_csv(epochs, training.epochs)
        write_json(metrics, training.metrics)
        run.metrics(training.metrics)
        run.artifact(epochs)
        run.says(lines.trained(training.metrics), epochs)


if __name__ == "__main__":
    main()
