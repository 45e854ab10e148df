"""Queues a group of experiments, shows how far they are and collects their numbers."""

import sys
from collections.abc import Mapping, Sequence

import click

from headstart.commands.experiment_queue import ExperimentQueue, QueueError
from headstart.commands.queue_status import QUEUED, Watch


def run_queued(
    queue: ExperimentQueue, names: Sequence[str], jobs: int, metrics: Sequence[str]
) -> dict[str, dict[str, float] | None]:
    """Wait until all queued experiments have ended, and show the progress on stderr.

    Args:
        queue: of the project.
        names: of the experiments.
        jobs: how many run at a time, at least 1.
        metrics: dotted keys; the metrics files of their stages are read.

    Returns:
        name -> all numbers of these files; None for an experiment that failed.

    Raises:
        QueueError: DVC does not answer.
    """
    queue.start(jobs)
    with Progress(len(names)) as progress:
        succeeded = queue.wait(names, jobs, progress)
    stages = list(dict.fromkeys(metric.partition(".")[0] for metric in metrics))
    return {name: _numbers(queue, name, stages, ok) for name, ok in succeeded.items()}


def queue_all(queue: ExperimentQueue, plan: Mapping[str, Sequence[str]]) -> None:
    """Queue all experiments of `plan` (name -> settings) or none; each is told on stderr.

    After Ctrl-C, too, none stays queued. Where that cannot be had, stderr names those that may stay.

    Raises:
        QueueError: DVC refuses one.
    """
    asked: list[str] = []
    try:
        for name, settings in plan.items():
            asked.append(name)
            queue.add(name, settings)
            click.echo(f"Queued {name}.", err=True)
    except QueueError:  # about the last
        _take_back(queue, asked[:-1])
        raise
    except BaseException:  # such as Ctrl-C; DVC may have queued the last
        _take_back(queue, asked)
        raise


def _take_back(queue: ExperimentQueue, names: Sequence[str]) -> None:
    """Remove those experiments that wait in the queue; tell on stderr which of them may stay there."""
    if not names:
        return
    staying = names
    try:
        states = queue.status().experiments
        waiting = [name for name in names if states.get(name) == QUEUED]
        queue.remove(waiting)
        staying = [name for name in names if name in states and name not in waiting]
        if waiting:
            click.echo(f"Removed from the queue again: {', '.join(waiting)}.", err=True)
    except (QueueError, KeyboardInterrupt):
        pass  # the error or Ctrl-C that came first is reported
    if staying:
        click.echo(
            f"DVC's queue may still hold {', '.join(staying)}: `dvc queue status` shows their states, "
            "`dvc queue remove NAME` drops one that waits, `dvc queue kill NAME` ends one that runs.",
            err=True,
        )


def problems_of(
    results: Mapping[str, Mapping[str, float] | None], metrics: Sequence[str], all_wanted: bool
) -> list[str]:
    """Sentences about experiments that failed, and about `metrics` that none of the others has.

    Args:
        results: as `run_queued` returns them.
        metrics: dotted keys.
        all_wanted: whether all of `metrics` must be there; otherwise one of them is enough.
    """
    failed = [name for name, result in results.items() if result is None]
    problems = []
    if failed:
        problems.append(f"{len(failed)} of {len(results)} experiments failed: {', '.join(failed)}.")
    known = {key for result in results.values() for key in result or ()}
    missing = [metric for metric in metrics if metric not in known]
    if len(failed) < len(results) and missing and (all_wanted or len(missing) == len(metrics)):
        problems.append(
            f"No experiment has {', '.join(missing)}; their metrics files have: "
            f"{', '.join(sorted(known)) or 'no number'}."
        )
    return problems


def _numbers(
    queue: ExperimentQueue, name: str, stages: Sequence[str], succeeded: bool
) -> dict[str, float] | None:
    """The numbers of one experiment that ended; if it failed, None, and its log on stderr."""
    try:
        if succeeded:
            return queue.metrics(name, stages)
        click.echo(f"{name} failed. Its log ends with:\n{queue.log_tail(name)}\n", err=True)
    except QueueError as error:
        click.echo(str(error), err=True)
    return None


class Progress:
    """A bar in a terminal; elsewhere a line whenever something has changed."""

    def __init__(self, n: int) -> None:
        """`n` experiments."""
        from tqdm import tqdm

        self._bar = tqdm(total=n, desc="experiments", file=sys.stderr, disable=None)
        self._last = ""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, watch: Watch) -> None:
        """Show how many experiments have ended."""
        self._bar.n = len(watch.succeeded)
        self._bar.refresh()
        if self._bar.disable and str(watch) != self._last:
            click.echo(f"{watch}.", err=True)
        self._last = str(watch)
