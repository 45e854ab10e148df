"""`headstart sweep N --queue`: what needs the network waits in DVC's queue as whole experiments."""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from headstart.commands.experiment_queue import ExperimentQueue
from headstart.commands.experiment_runs import queue_all
from headstart.commands.sweep_text import drawn_table
from headstart.project.params import ParamsError
from headstart.sweeping.queued import drawn, require_all_drawn
from headstart.sweeping.settings import with_settings, yaml_scalar
from headstart.sweeping.space import Dimension
from headstart.sweeping.study import require_optuna
from headstart.tracking.store import project_root

NEXT = """\
Nothing has run yet. To run them, two at a time: dvc queue start -j 2
To see what is left: dvc queue status. To drop them: dvc queue remove {names}
Their scores: dvc exp show, and a row each in MLflow."""


def queue_experiments(
    n: int, space: Sequence[Dimension], seed: int, values: Mapping[str, Any]
) -> None:
    """Queue `n` experiments with settings out of `space`, and print them; none is started.

    Raises:
        HeadstartError: the space is too small, or optuna is not installed.
        ParamsError: params.yaml could not hold the settings of one; none is queued.
        QueueError: DVC refuses one; none stays queued.
    """
    require_optuna()
    found = drawn(space, n, seed, values)
    require_all_drawn(found, n)
    for settings in found:
        require_right(with_settings(values, settings))
    suffix = uuid.uuid4().hex[:6]
    plan = {f"sweep-{number}-{suffix}": settings for number, settings in enumerate(found, 1)}
    queue_all(
        ExperimentQueue(project_root()),
        {
            name: [f"{key}={yaml_scalar(value)}" for key, value in settings.items()]
            for name, settings in plan.items()
        },
    )
    click.echo(drawn_table(plan))
    click.echo(NEXT.format(names=" ".join(plan)))


def require_right(values: Mapping[str, Any]) -> None:
    """Refuse sections that a stage would refuse hours later.

    Raises:
        ParamsError: all problems, one line each.
    """
    from headstart.checks.rules import ERRORS, broken
    from headstart.checks.sections import read_sections

    sections, problems = read_sections(values, Path("--search"))
    if problems := [*problems, *(f"--search: {said}" for said in broken(ERRORS, sections))]:
        raise ParamsError("\n".join(problems))
