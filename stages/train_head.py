"""activations + labels + suggestion → checkpoints: train the head on the plain view."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.activations.stored import read_activations
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import write_checkpoint
from headstart.network.head import HeadParams
from headstart.project.files import read_json, write_csv, write_json
from headstart.steps.train_head import ROOMS, TrainHeadParams, train_head
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.training.kept_training import KeptTraining
from headstart.training.lr_curve import Suggestion
from headstart.training.optimizer import OptimizerParams
from headstart.training.sampling import SamplingParams

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--activations", type=FILE, required=True, help="activations of the plain view")
@click.option("--labels", type=FILE, required=True, help="classes and splits")
@click.option("--suggestion", type=FILE, required=True, help="of find-lr-head, for lr: auto")
@click.option("--checkpoint", type=FILE, required=True, help="where to write the head")
@click.option("--epochs", type=FILE, required=True, help="CSV with one row per epoch")
@click.option("--metrics", type=FILE, required=True, help="metrics of the last epoch")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    activations: Path, labels: Path, suggestion: Path, checkpoint: Path, epochs: Path,
    metrics: Path, run_file: Path,
) -> None:  # fmt: skip
    """Train the head."""
    params = load_section("train_head", TrainHeadParams)
    head = load_section("head", HeadParams)
    optimizer = load_section("optimizer_head", OptimizerParams)
    sampling = load_section("sampling", SamplingParams)
    runtime = load_section("runtime", RuntimeParams)
    sections = {"train_head": params, "head": head, "optimizer_head": optimizer}
    sections |= {"sampling": sampling, "runtime": runtime}
    with live.stage_run("train-head", run_file, sections) as run:
        advice = Suggestion(**read_json(suggestion))
        cached, meaning = read_activations(activations), read_labels(labels)
        compute, inputs = prepare(runtime), (activations, labels, suggestion, Path(__file__))
        training = train_head(
            cached, meaning, params, head, optimizer, advice, sampling, compute, run,
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
