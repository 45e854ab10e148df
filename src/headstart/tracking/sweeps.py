"""A sweep in MLflow: one run for all of it, and one nested run a trial, logged when it has ended."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.tracking.names import mlflow_name
from headstart.tracking.origin import origin
from headstart.tracking.runs import Runs, now_ms, reason
from headstart.tracking.store import store_name

SWEEP, N_TRIALS, OF_SWEEP = "headstart.sweep", "headstart.sweep_trials", "headstart.of_sweep"
"""Tags: a sweep's digest and its number of trials; of a trial, the digest of its sweep."""


@dataclass(frozen=True)
class LoggedRun:
    """What a run shows: its name, params, metrics, and whether it was trained to its end."""

    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    finished: bool = True


def log_sweep(
    digest: str, whole: LoggedRun, trials: Sequence[LoggedRun], artifacts: Sequence[str]
) -> str | None:
    """Log what MLflow lacks of a sweep; return the id of its run, or None where MLflow is down.

    A sweep that went on gets a new run, which takes over the trials of the earlier one. The same call
    again logs nothing twice.

    Args:
        digest: of all that shapes the sweep.
        whole: the sweep: its best params.
        trials: in order; names differ.
        artifacts: paths of small files to show with the sweep.
    """
    try:
        runs = Runs()
        run_id = _log(runs, digest, whole, trials, artifacts)
    except Exception as error:
        print(
            f"Logging to MLflow at {store_name()} failed ({reason(error)}). The sweep is kept; the "
            "same command logs it when MLflow works again.",
            file=sys.stderr,
        )
        return None
    runs.say_missing()
    return run_id


def _log(
    runs: Runs, digest: str, whole: LoggedRun, trials: Sequence[LoggedRun], artifacts: Sequence[str]
) -> str:
    earlier = _find(runs, SWEEP, digest)
    for run in earlier:
        is_same = run.data.tags.get(N_TRIALS) == str(len(trials))
        if is_same and run.info.status == "FINISHED":
            return str(run.info.run_id)
    tags = origin("src/headstart/commands/sweep.py") | {SWEEP: digest, N_TRIALS: str(len(trials))}
    sweep_id = runs.start(whole.name, whole.params, tags, now_ms())
    _log_values(runs, sweep_id, {}, whole.metrics)
    known = {run.info.run_name: run.info for run in _find(runs, OF_SWEEP, digest)}
    for trial in trials:
        info = known.get(trial.name)
        if info is not None and info.status != "RUNNING":
            runs.client.set_tag(info.run_id, "mlflow.parentRunId", sweep_id)
            continue
        own = {OF_SWEEP: digest, "mlflow.parentRunId": sweep_id}
        if info is None:
            run_id = runs.start(trial.name, {}, own, now_ms())
        else:  # of a call that was interrupted
            run_id = str(info.run_id)
            runs.client.set_tag(run_id, "mlflow.parentRunId", sweep_id)
        _log_values(runs, run_id, trial.params, trial.metrics)
        runs.client.set_terminated(run_id, status="FINISHED" if trial.finished else "KILLED")
    runs.end(sweep_id, "FINISHED", now_ms(), artifacts)
    for run in earlier:
        runs.client.delete_run(run.info.run_id)
    return sweep_id


def _find(runs: Runs, tag: str, value: str) -> list[Any]:
    query = f"tags.`{tag}` = '{value}'"
    return list(runs.client.search_runs([runs.experiment_id], query, max_results=50_000))


def _log_values(
    runs: Runs, run_id: str, params: Mapping[str, Any], metrics: Mapping[str, float]
) -> None:
    from mlflow.entities import Metric, Param

    now = now_ms()
    runs.client.log_batch(
        run_id,
        params=[Param(mlflow_name(key), str(value)) for key, value in params.items()],
        metrics=[Metric(mlflow_name(key), value, now, 0) for key, value in metrics.items()],
    )
