"""`headstart`: what a person at a terminal needs beside `dvc` and `mlflow`."""

from pathlib import Path

import click

from headstart.commands.experiments import folds, seeds
from headstart.commands.networks import check_gradients, predict
from headstart.commands.plots import plots
from headstart.commands.sync import sync
from headstart.project.params import PARAMS_FILE
from headstart.terminal.plain_command import PlainGroup
from headstart.tracking.start import start


@click.group(
    cls=PlainGroup,
    commands=[plots, predict, check_gradients, folds, seeds, sync],
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main() -> None:
    """Help around the pipeline; `dvc repro` runs it.

    \b
    dvc repro                             bring every result up to date
    headstart check                       can what params.yaml says run?
    headstart sync                        MLflow's row for results that DVC restored
    dvc exp run -S train_head.lr=0.005    try a value, keep the experiment
    headstart plots                       curves and confusion, on a page without a network
    headstart folds 5                     each fold once as valid: mean and spread
    headstart seeds 3                     another seed each: mean and spread of training
    headstart predict ...                 the class of a picture, by the fine-tuned network
    headstart check-gradients ...         which precision may train this network?
    mlflow ui                             compare the rows
    """
    start()  # before a command loads torch


@main.command()
@click.argument("params", type=click.Path(path_type=Path), default=PARAMS_FILE)
def check(params: Path) -> None:
    """Check PARAMS (default: params.yaml) without running anything, and tell all problems at once.

    It looks at every value of every section; at sections that contradict each other (a phase larger
    than the network input, lr: auto after a range test that is skipped, ...); at the pictures, CSVs,
    sample and weights that must lie on this machine, and the packages that must be installed; at the
    network's name, and whether a file of weights is of that network.

    Errors end it with exit status 1. Warnings tell what runs and may not be what you meant. The first
    stage that runs checks the same, but for the tensors in a file of yours.
    """
    from headstart.checks.whole_file import check_file

    found = check_file(params)
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if found.errors:
        raise click.ClickException("\n".join(found.errors))
    click.echo(f"{params}: all sections are right.")
