"""`headstart sweep`: better params of the head, searched on cached activations."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.project.params import PARAMS_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart.sweeping.objective import CachedSet, Measure
    from headstart.sweeping.space import Dimension

INTERRUPTED = "Interrupted after {}, which {} kept: the same command goes on."


@click.command()
@click.argument("n", type=click.IntRange(min=2), default=100)
@click.option(
    "--search", "searched", multiple=True, metavar="KEY=LOW:HIGH",
    help="Range of a key, or its choices as KEY=A,B,C; in place of the default, or beside it; may be "
    "repeated. A range whose ends differ by a factor of 10 is searched on a logarithmic scale.",
)  # fmt: skip
@click.option("--only", is_flag=True, help="Search the keys of --search and no others.")
@click.option(
    "--queue", is_flag=True,
    help="Queue N experiments over what needs the network (rates and cycles of fine-tuning, "
    "augmentation; with --search any key but seeds), and start none. Choices alone are a grid.",
)  # fmt: skip
@click.option("--list", "is_list", is_flag=True, help="Show what would be searched, and stop.")
@click.option(
    "--by", "measure", type=click.Choice(["log_loss", "score"]), default="log_loss",
    show_default=True,
    help="What decides, on valid: log loss, or accuracy (F2 of many labels), which has more noise.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of the values that are drawn.")
def sweep(
    n: int, searched: tuple[str, ...], only: bool, queue: bool, is_list: bool,
    measure: "Measure", seed: int,
) -> None:  # fmt: skip
    """Search better params of the head in N trials (default: 100) on cached activations.

    A trial trains as the stages train-head and train-augmented do, which takes about a second, and is
    judged on valid; test is never read. What is searched: sizes and dropout of the head, weight decay
    and batch size of its optimizer, balance of classes, rates and epochs. The plain view is seen in
    train_head.n_epochs epochs, augmented views in the cycles of train_augmented.

    Trial 0 is params.yaml as it is. A promising trial is trained with 3 seeds. The 5 best and trial 0
    are then trained again with 3 other seeds, and the mean decides. Trials run side by side, one a core
    (HEADSTART_WORKERS: how many); that decides no result. The result is a patch of
    params.yaml to look at; the command changes no params. Its files and the sweep in MLflow show all
    trials. The same command goes on with an interrupted sweep, unless params, labels or activations
    have changed; a larger N adds trials.

    \b
    headstart sweep 100
    headstart sweep --list
    headstart sweep 50 --search train_head.lr=1e-4:1 --search head.hidden_units=0,64
    headstart sweep 50 --only --search optimizer_head.momentum=0.8:0.99
    headstart sweep 8 --queue

    What needs the network (rates and cycles of fine-tuning, augmentation) is drawn by --queue, as
    whole experiments that wait in DVC's queue: `dvc queue start` runs them.
    """
    from headstart.checks.whole_file import require_right_file
    from headstart.commands.sweep_inputs import about, open_set
    from headstart.commands.sweep_queue import queue_experiments
    from headstart.commands.sweep_text import space_table
    from headstart.project.errors import HeadstartError
    from headstart.project.params import read_params
    from headstart.project.work import work_folder
    from headstart.sweeping.objective import HeadParamsOfAll, code
    from headstart.sweeping.queued import network_space
    from headstart.sweeping.settings import value_at
    from headstart.sweeping.space import default_space, narrowed, parse_dimension
    from headstart.sweeping.study import require_optuna

    require_right_file(PARAMS_FILE, at_sources=False)
    values = read_params()
    own = [parse_dimension(text, values, queue) for text in searched]
    if only and not own:
        raise HeadstartError("--only needs a --search.")
    if queue:
        space = own if only else narrowed(network_space(values), own)
        if is_list:
            click.echo(space_table(space, {d.key: value_at(values, d.key) for d in space}))
        else:
            queue_experiments(n, space, seed, values)
        return
    cached = open_set(values)
    space = own if only else narrowed(default_space(values, cached.class_sizes()), own)
    require_allowed(space, values)
    if is_list:
        click.echo(space_table(space, {d.key: value_at(values, d.key) for d in space}))
        return
    require_optuna()
    params = HeadParamsOfAll.of(values, PARAMS_FILE)
    key = {
        "params": {name: values[name] for name in (*vars(params), "runtime")},
        "space": [str(d) for d in space] + [d.key for d in space],
        "about": about(cached), "measure": measure, "seed": seed, "code": code(),
    }  # fmt: skip
    with work_folder("sweep", key) as folder:
        _search(n, cached, values, space, measure, seed, folder)


def require_allowed(space: "Sequence[Dimension]", values: "Mapping[str, Any]") -> None:
    """Refuse values that params.yaml could not hold.

    Raises:
        ParamsError: names the key, the value and what is allowed.
    """
    from headstart.sweeping.objective import HeadParamsOfAll
    from headstart.sweeping.settings import with_settings

    for dimension in space:
        for value in dimension.ends():
            HeadParamsOfAll.of(with_settings(values, {dimension.key: value}), Path("--search"))


def _search(
    n: int, cached: "CachedSet", values: "Mapping[str, Any]", space: "Sequence[Dimension]",
    measure: "Measure", seed: int, folder: Path,
) -> None:  # fmt: skip
    """Run the trials that are missing, repeat the best; write and print the result."""
    from headstart.commands import sweep_outputs as outputs
    from headstart.commands import sweep_text as text
    from headstart.commands.sweep_inputs import open_set
    from headstart.labels.task import SCORE
    from headstart.project.workers import n_workers
    from headstart.sweeping.search import search
    from headstart.sweeping.study import IN_FLIGHT, Study
    from headstart.sweeping.trainings import Trainings
    from headstart.terminal.bars import Bars

    study, started = Study(folder, space, values, measure, seed), time.monotonic()
    n_processes = min(n_workers(), IN_FLIGHT) if cached.compute.device.type == "cpu" else 1
    try:
        with Trainings(partial(open_set, values), n_processes) as trainings:
            found = search(study, n, cached, trainings, values, PARAMS_FILE, Bars().over)
    except KeyboardInterrupt:
        n_ended = len(study.trials())
        told = ("1 trial", "is") if n_ended == 1 else (f"{n_ended} trials", "are")
        click.echo(INTERRUPTED.format(*told), err=True)
        raise click.exceptions.Exit(130) from None
    seconds, score = time.monotonic() - started, SCORE[cached.labels.task]
    beside = folder.parents[2]  # of the work folder, where a person finds it
    patch, table, figure = (beside / f"sweep.{suffix}" for suffix in ("patch", "csv", "png"))
    change, is_patch = outputs.write_patch(patch, PARAMS_FILE, values, found.best.settings)
    outputs.write_trials(table, found, values, score)
    files = [patch] * is_patch + [table] + [figure] * outputs.write_importance(figure, found)
    in_mlflow = outputs.log(folder.name, found, values, score, files)
    click.echo(text.result(found, measure, score, len(cached.labels.labelled("valid")), seconds))
    click.echo(text.what_next(found, change, patch if is_patch else None, files, in_mlflow))
