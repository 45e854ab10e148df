"""activations + labels → report: the learning-rate range test of a fresh head."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from dataclasses import asdict
from pathlib import Path

import click

from headstart.activations.stored import read_activations
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.labels.labels import read_labels
from headstart.network.head import HeadParams
from headstart.project.files import write_csv, write_json
from headstart.steps.find_lr_head import ROOMS, FindLrHeadParams, find_lr_head
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live
from headstart.training.kept_training import KeptTraining
from headstart.training.lr_curve import suggest
from headstart.training.optimizer import OptimizerParams
from headstart.training.sampling import SamplingParams

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--activations", type=FILE, required=True, help="activations of the plain view")
@click.option("--labels", type=FILE, required=True, help="classes and splits")
@click.option("--curve", type=FILE, required=True, help="CSV of rate and losses")
@click.option(
    "--suggestion", type=FILE, required=True, help="JSON of the rate, or why there is none"
)
@click.option("--metrics", type=FILE, required=True, help="the suggestion as a number")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    activations: Path, labels: Path, curve: Path, suggestion: Path, metrics: Path, run_file: Path
) -> None:
    """Find a learning rate for the head."""
    params = load_section("find_lr_head", FindLrHeadParams)
    head = load_section("head", HeadParams)
    optimizer = load_section("optimizer_head", OptimizerParams)
    sampling = load_section("sampling", SamplingParams)
    runtime = load_section("runtime", RuntimeParams)
    sections = {"find_lr_head": params, "head": head, "optimizer_head": optimizer}
    sections |= {"sampling": sampling, "runtime": runtime}
    with live.stage_run("find-lr-head", run_file, sections) as run:
        cached, meaning, compute = (
            read_activations(activations).first(),
            read_labels(labels),
            prepare(runtime),
        )
        kept = KeptTraining(run, ROOMS, (activations, labels, Path(__file__)), compute)
        found = find_lr_head(cached, meaning, params, head, optimizer, sampling, compute, run, kept)
        advice = suggest(found, params.rule)
        write_csv(curve, found.table().assign(suggested_lr=advice.lr))
        write_json(suggestion, asdict(advice), sealed=True)
        write_json(metrics, advice.metrics())
        run.metrics(advice.metrics())
        run.artifact(curve)
        run.says(lines.range_test(advice), curve)


if __name__ == "__main__":
    main()
