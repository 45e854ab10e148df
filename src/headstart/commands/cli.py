"""`headstart`: the commands that a user needs beside `dvc` and `mlflow`."""

from pathlib import Path

import click

from headstart.commands.compare import compare
from headstart.commands.demo import demo
from headstart.commands.experiments import folds, seeds
from headstart.commands.export import export
from headstart.commands.init import init
from headstart.commands.networks import check_gradients
from headstart.commands.plots import plots
from headstart.commands.predict import predict
from headstart.commands.sweep import sweep
from headstart.commands.sync import sync
from headstart.commands.verify import verify
from headstart.project.params import PARAMS_FILE
from headstart.terminal.plain_command import PlainGroup
from headstart.tracking.start import start


@click.group(
    cls=PlainGroup,
    commands=[
        init,
        plots,
        compare,
        predict,
        demo,
        export,
        check_gradients,
        folds,
        seeds,
        sweep,
        sync,
        verify,
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main() -> None:
    """Commands around the pipeline; `dvc repro` runs it.

    \b
    headstart init /my/pictures           look at pictures, write a params.yaml for them
    dvc repro                             bring every result up to date
    headstart check                       check params.yaml, run nothing
    headstart verify --deep               whether every byte is as dvc.lock says
    headstart sync                        MLflow rows for results that DVC restored
    dvc exp run -S train_head.lr=0.005    try a value, keep the experiment
    headstart plots                       curves and confusion on an offline page
    headstart compare HEAD                this state and the last commit side by side
    headstart folds 5                     each fold once as valid: mean and spread
    headstart seeds 3                     training with 3 seeds: mean and spread
    headstart sweep 100                   better params of the head, as a patch to look at
    headstart predict ...                 classify pictures by the fine-tuned network
    headstart demo ...                    a page that classifies the picture you drop on it
    headstart export ...                  the network as a file that runs without headstart
    headstart check-gradients ...         which precision may train a network
    mlflow ui                             compare the results
    """
    start()  # before a command loads torch


@main.command()
@click.argument("params", type=click.Path(path_type=Path), default=PARAMS_FILE)
@click.option(
    "--pin", is_flag=True,
    help="First write the installed versions into the section runtime: stages then refuse others.",
)  # fmt: skip
def check(params: Path, pin: bool) -> None:
    """Check PARAMS (default: params.yaml) without running anything, and report all problems at once.

    The command checks every value of every section. It finds sections that contradict each other (a
    phase larger than the network input, lr: auto after a range test that is skipped, ...). It looks
    for the pictures, CSVs, sample and weights on this machine, and for the packages. It checks the
    name of the network, that a file of weights fits the network, and that pinned versions of packages
    are those installed.

    Errors end the command with exit status 1. Warnings are about settings that run, but may not be
    what you meant. The first stage of a run checks the same, except the tensors in your own file.
    """
    from headstart.checks.whole_file import check_file

    if pin:
        from headstart.commands.pins import write_pins

        click.echo(write_pins(params))
    found = check_file(params)
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if found.errors:
        raise click.ClickException("\n".join(found.errors))
    click.echo(f"{params}: all sections are right.")
