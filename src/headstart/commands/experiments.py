"""`headstart folds` and `headstart seeds`: mean and spread of repeated experiments."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from headstart.commands.experiment_queue import ExperimentQueue
from headstart.commands.experiment_runs import problems_of, queue_all, run_queued
from headstart.commands.experiment_settings import (
    check_settings,
    parse_settings,
    require_stratified,
)
from headstart.commands.kept_spread import SEEDED, SPREAD_FILE, spread_text
from headstart.commands.spread import Spread, spread_csv, spread_table, spreads
from headstart.project.params import PARAMS_FILE, read_params
from headstart.tracking.state import flatten
from headstart.tracking.store import project_root

SCORES = ("accuracy", "f2", "map", "log_loss")
DEFAULT_METRICS = tuple(
    f"tta_evaluate.{split}.{kind}.{score}"
    for split in ("valid", "test")
    for kind in ("plain", "tta")
    for score in SCORES
)
INTERRUPTED = (
    "Interrupted. DVC's queue is unchanged, and its workers continue. `dvc queue status` shows their "
    "progress, `dvc queue start` starts workers if none runs, `dvc queue stop --kill` ends them, and "
    "`dvc exp show` shows the results."
)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options and the argument that both commands take."""
    for option in (
        click.option(
            "--csv",
            "csv_file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Also write the table to this file.",
        ),
        click.option(
            "--metric",
            "metrics",
            multiple=True,
            metavar="STAGE.KEY",
            help="A number from metrics/*.json, such as tta_evaluate.valid.tta.accuracy; may be "
            f"repeated. Default: {', '.join(SCORES)} of valid and test, plain and TTA, where the "
            "results have them.",
        ),
        click.option(
            "-S",
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Value set in every experiment, such as dataset.source=/my/folder; may be repeated.",
        ),
        click.option(
            "-j",
            "--jobs",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Experiments to run at a time.",
        ),
        click.argument("n", type=click.IntRange(min=2)),
    ):
        command = option(command)
    return command


@click.command()
@_options
def folds(n: int, **options: Any) -> None:
    """Queue N experiments, each with another fold as valid; print mean and spread.

    The pictures outside test are cut into N folds; test stays the same. index_images.split must be
    stratified.

    Each experiment starts from the present workspace (the files that git tracks) and becomes a
    complete row in MLflow. The workers run everything that waits in DVC's queue, your own
    experiments too. Ctrl-C before all N are queued takes them back; later it leaves the queue as it is.
    """
    own = {
        f"fold-{fold}": {"index_images.n_folds": n, "index_images.fold": fold} for fold in range(n)
    }
    _repeat(own, f"of-{n}-", stratified=True, **options)


@click.command()
@_options
def seeds(n: int, **options: Any) -> None:
    """Queue N experiments with the seeds 0 to N - 1; print mean and spread.

    Sets train_head.seed, train_augmented.seed and unfreeze_finetune.seed. The split and the cached
    views of pictures keep their seeds, so the spread comes from training alone. `headstart folds`
    shows the spread that comes from the choice of pictures.

    Each experiment starts from the present workspace (the files that git tracks) and becomes a
    complete row in MLflow. An experiment whose results exist already runs nothing, and its row
    exists too. The workers run everything that waits in DVC's queue, your own experiments too.
    Ctrl-C before all N are queued takes them back; later it leaves the queue as it is.

    seeds.json keeps the means and standard deviations. Where a run has the same params but for these
    seeds, `headstart compare` tells them.
    """
    own = {f"seed-{seed}": {f"{section}.seed": seed for section in SEEDED} for seed in range(n)}
    _repeat(own, "", stratified=False, **options)


def _repeat(
    own: Mapping[str, Mapping[str, int]],
    infix: str,
    stratified: bool,
    jobs: int,
    settings: tuple[str, ...],
    metrics: tuple[str, ...],
    csv_file: Path | None,
) -> None:
    """Queue an experiment for each label of `own`, wait for all, print their spread.

    Args:
        own: label -> dotted key -> value: the settings in which the experiments differ.
        infix: text between the label and the unique suffix in the names of the experiments.
        stratified: whether index_images.split must be.
        jobs: experiments at a time.
        settings: key=value, for all of them.
        metrics: dotted keys; empty for DEFAULT_METRICS.
        csv_file: the file that the table is also written to; or None.
    """
    _check(metrics, csv_file)
    root, suffix = project_root(), f"{infix}{uuid.uuid4().hex[:6]}"
    shared = parse_settings(settings)
    check_settings(shared, {key for values in own.values() for key in values})
    if stratified:
        require_stratified(shared, root)
    params = flatten(read_params(root / PARAMS_FILE))  # now, as they may be edited meanwhile
    plan = {
        f"{label}-{suffix}": [*settings, *(f"{key}={value}" for key, value in values.items())]
        for label, values in own.items()
    }
    queue = ExperimentQueue(root)
    queue_all(queue, plan)
    try:
        results = run_queued(queue, list(plan), jobs, metrics or DEFAULT_METRICS)
    except KeyboardInterrupt:
        click.echo(INTERRUPTED, err=True)
        raise click.exceptions.Exit(130) from None
    rows = spreads(metrics or DEFAULT_METRICS, [result or {} for result in results.values()])
    if not stratified:
        _keep(root, params | shared, rows)
    if rows:
        click.echo(spread_table(list(own), rows))
    if csv_file:
        csv_file.write_text(spread_csv(list(plan), rows), encoding="utf-8")
    if problems := problems_of(results, metrics or DEFAULT_METRICS, all_wanted=bool(metrics)):
        raise click.ClickException("\n".join(problems))


def _keep(root: Path, params: Mapping[str, Any], rows: Sequence[Spread]) -> None:
    """Write seeds.json, unless fewer than two experiments have a score."""
    if any(row.sd is not None for row in rows):
        (root / SPREAD_FILE).write_text(spread_text(params, rows), encoding="utf-8")
        click.echo(f"{SPREAD_FILE} keeps it for `headstart compare`.", err=True)


def _check(metrics: Sequence[str], csv_file: Path | None) -> None:
    """Refuse options now that would fail hours later."""
    for metric in metrics:
        if "." not in metric:
            raise click.BadParameter(
                f"{metric!r} must be a stage and a dotted key, such as "
                "tta_evaluate.valid.tta.accuracy.",
                param_hint="--metric",
            )
    if csv_file and not csv_file.absolute().parent.is_dir():
        raise click.BadParameter(f"the folder of {csv_file} does not exist.", param_hint="--csv")
