"""The files of a sweep beside its patch, and its runs in MLflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from headstart.project.errors import HeadstartError
from headstart.project.files import write_csv, write_figure, write_text
from headstart.sweeping.figure import sweep_figure
from headstart.sweeping.patch import changed_text, unified
from headstart.sweeping.search import Found
from headstart.sweeping.settings import Settings, value_at
from headstart.sweeping.study import Trial
from headstart.tracking.sweeps import LoggedRun, log_sweep


def write_patch(
    path: Path, params: Path, values: Mapping[str, Any], settings: Settings
) -> tuple[str, bool]:
    """Write what would change params.yaml to `settings`, unless its form admits no patch.

    Args:
        path: of the patch; without one, no file is there.
        params: the params file, relative to the project.
        values: its sections.
        settings: those that are equal to the present values are left out.

    Returns:
        the patch and True; or a sentence that says what to set by hand, and False.
    """
    with params.open(encoding="utf-8", newline="") as file:
        text = file.read()
    new = {key: value for key, value in settings.items() if value_at(values, key) != value}
    try:
        patch = unified(text, changed_text(text, new, params), params)
    except HeadstartError as error:
        path.unlink(missing_ok=True)
        return str(error), False
    write_text(path, patch)
    return patch, True


def write_trials(path: Path, found: Found, values: Mapping[str, Any], score: str) -> None:
    """Write a row a trial: how it ended, its scores on valid, and all that was searched."""
    rows = [
        {
            "trial": trial.number,
            "ended": _ended(trial),
            "log_loss": trial.log_loss,
            score.lower(): trial.score,
            "seeds": trial.n_seeds,
            "seconds": trial.seconds,
            **_params(trial, found, values),
        }
        for trial in found.trials
    ]
    write_csv(path, pd.DataFrame(rows))


def write_importance(path: Path, found: Found) -> bool:
    """Write the figure; False, and no file, where there were too few trials to tell."""
    path.unlink(missing_ok=True)
    if not found.importances:
        return False
    title = f"What decided {len(found.trials)} trials"
    figure = sweep_figure(found.importances, found.trials, found.best, found.space, title)
    write_figure(path, figure)
    return True


def log(
    digest: str, found: Found, values: Mapping[str, Any], score: str, files: list[Path]
) -> bool:
    """Log the sweep and its trials to MLflow; False where it is down."""

    def metrics(trial: Trial) -> dict[str, float]:
        known = {"valid log loss": trial.log_loss, f"valid {score}": trial.score}
        return {name: value for name, value in known.items() if value is not None}

    trials = [
        LoggedRun(
            f"trial {t.number}",
            _params(t, found, values),
            metrics(t) | {"seconds": t.seconds},
            finished=t.log_loss is not None,
        )
        for t in found.trials
    ]
    best = found.best
    whole = LoggedRun(f"sweep, {len(trials)} trials", _params(best, found, values), metrics(best))
    return log_sweep(digest, whole, trials, [str(file) for file in files]) is not None


def _params(trial: Trial, found: Found, values: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each key that was searched."""
    keys = [dimension.key for dimension in found.space]
    return {key: trial.settings.get(key, value_at(values, key)) for key in keys}


def _ended(trial: Trial) -> str:
    if trial.diverged:
        return "diverged"
    return "early" if trial.log_loss is None else "trained"
