"""What `headstart sweep` prints, at most 80 columns wide but for the patch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import get_args

from headstart.commands.spread import mean_and_sd
from headstart.sweeping.comparison import CONFIDENCE
from headstart.sweeping.objective import Measure
from headstart.sweeping.search import N_SEEDS, Found
from headstart.sweeping.settings import Settings, yaml_scalar
from headstart.sweeping.space import Dimension
from headstart.sweeping.study import Trial

N_IMPORTANT = 4  # keys that the result names
WIDTH = 80
DIVERGED = "diverged with another seed"


def space_table(space: Sequence[Dimension], present: Mapping[str, object]) -> str:
    """A line a key: its present value, and what is tried."""
    rows = [("key", "now", "tried")]
    rows += [(d.key, str(present[d.key]), str(d)) for d in space]
    return _aligned(rows)


def drawn_table(plan: Mapping[str, Settings]) -> str:
    """A line an experiment; keys that stand in a heading of their own, so that lines stay short."""
    keys = list(next(iter(plan.values())))
    letters = [chr(ord("a") + n) for n in range(len(keys))]
    named = [f"{letter}  {key}" for letter, key in zip(letters, keys, strict=True)]
    rows = [("", *letters)]
    rows += [
        (name, *(yaml_scalar(settings[key]) for key in keys)) for name, settings in plan.items()
    ]
    return "\n".join([*named, "", _aligned(rows), ""])


def result(found: Found, measure: Measure, score: str, n_valid: int, seconds: float) -> str:
    """How the trials ended, the repeats, whether the best is better, and what mattered."""
    trials = found.trials
    early = sum(trial.log_loss is None and not trial.diverged for trial in trials)
    diverged = sum(trial.diverged for trial in trials)
    new = "" if found.n_new == len(trials) else f" ({found.n_new} of them new)"
    ends = f"{early} ended early" + (f", {diverged} diverged" if diverged else "")
    parts = [
        f"{len(trials)} trials{new} on {n_valid:,} pictures of valid; {ends}; {seconds:,.0f} s",
        _repeats_table(found, score),
        _verdict(found, measure, score),
    ]
    if found.importances:
        parts.append(_important(found.importances))
    if edges := found.at_an_end():
        at = (f"  {d.key}: {yaml_scalar(found.best.settings[d.key])} of {d}" for d in edges)
        parts.append("\n".join(["At an end of its range, so a wider --search may find more:", *at]))
    return "\n\n".join(parts)


def what_next(
    found: Found, change: str, patch: Path | None, files: Sequence[Path], in_mlflow: bool
) -> str:
    """The change, if it is advised; what its score does not tell; where to look.

    Args:
        found: by the sweep.
        change: the patch, or what to set by hand.
        patch: its file; None where there is none.
        files: all that were written.
        in_mlflow: whether the trials are there, too.
    """
    look = f"All trials: {', '.join(map(str, files))}" + ", and MLflow" * in_mlflow
    if found.gain is None or not found.gain.beyond_noise:
        return f"\n{look}"
    take = f"To take it: git apply {patch} && dvc repro" if patch else "Then run: dvc repro"
    return (
        f"\n{change}\n"
        "Valid chose it, so expect a little less on other pictures; test was not read.\n"
        f"{take}\n{look}"
    )


def _name(trial: Trial) -> str:
    return f"trial {trial.number}" if trial.number else "params.yaml"


def _repeats_table(found: Found, score: str) -> str:
    """A line for each: mean and sd over the other seeds, and what it had as a trial."""
    rows = [("", f"log loss of {N_SEEDS} seeds", f"{score} of {N_SEEDS} seeds", "as a trial")]
    for repeats in found.repeats:
        trial = repeats.trial
        log_loss, of_score = DIVERGED, ""
        if not repeats.diverged:
            log_loss, of_score = (
                mean_and_sd(repeats.of_seeds(measure)) for measure in get_args(Measure)
            )
        own = f"{trial.log_loss:.4f}, {trial.score:.4f}"
        rows.append((_name(trial), log_loss, of_score, own))
    lines = [_aligned(rows), f"Means (sd) over {N_SEEDS} seeds that chose no trial."]
    if found.trials[0].diverged:
        lines.append(f"As a trial, params.yaml {DIVERGED};")
        lines.append("its scores there are those of the seeds before.")
    return "\n".join(lines)


def _verdict(found: Found, measure: Measure, score: str) -> str:
    """Whether the best trial is better than params.yaml beyond noise."""
    if found.gain is None:
        return _no_verdict(found)
    mean, half = found.gain.mean, found.gain.half
    what = "log loss" if measure == "log_loss" else score
    better = {"log_loss": ("lower", "higher"), "score": ("higher", "lower")}[measure]
    change = f"{what} is {abs(mean):.4f} {better[mean < 0]} than that of params.yaml"
    interval = (
        f"({100 * CONFIDENCE:.0f} % interval of the gain: {mean - half:.4f} to {mean + half:.4f}; "
        f"paired by picture; best of {len(found.compared)})."
    )
    name = _name(found.best)
    if found.gain.beyond_noise:
        return f"{name}: its {change}, beyond noise\n{interval}"
    return f"Keep params.yaml: the best, {name}, is within noise.\nIts {change}\n{interval}"


def _no_verdict(found: Found) -> str:
    """Why the best trial cannot be compared with params.yaml."""
    if why := found.repeats[0].diverged:
        told = [
            f"params.yaml {DIVERGED}, so no gain over it can be known.",
            "With that seed `dvc repro` would end so:",
            fill(why, WIDTH, initial_indent="  ", subsequent_indent="  "),
        ]
        if found.compared:
            told.append(f"The best trial that diverged with no seed is {_name(found.best)}.")
        return "\n".join(told)
    if len(found.repeats) > 1:
        return f"Keep params.yaml: each of the best trials {DIVERGED}."
    return "Keep params.yaml: no other trial was trained to its end."


def _important(importances: Mapping[str, float]) -> str:
    keys = list(importances.items())[:N_IMPORTANT]
    return "What mattered most: " + ",\n  ".join(f"{key} {100 * part:.0f} %" for key, part in keys)


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
