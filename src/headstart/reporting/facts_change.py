"""Paired differences of scores as text, and whether they are noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from headstart.evaluation.differences import (
    picture_scores,
    score_differences,
    scoring_of,
    shared_pictures,
)
from headstart.evaluation.paired import Difference
from headstart.evaluation.predictions import Kind, Predictions
from headstart.labels.task import Task
from headstart.reporting.score_tables import Number

Values = Mapping[str, Any]


class Form(NamedTuple):
    """How a score is written: its key, a factor, the number of decimals and a unit."""

    key: str
    factor: float
    n_decimals: int
    unit: str


SCORES: dict[Task, Form] = {
    "single_label": Form("accuracy", 100, 2, "%"),
    "multi_label": Form("f2", 1, 4, ""),
}
LOG_LOSS = Form("log_loss", 1, 4, "")


@dataclass(frozen=True)
class Change:
    """A paired difference as text, such as `+1.25` and `−0.30 to +2.80`.

    Attributes:
        value: without unit; of accuracy in percentage points.
        interval: its ends.
        noise: whether the interval holds 0.
        pictures: how many pictures score higher and lower than before; "" of log loss.
    """

    value: str
    interval: str
    noise: bool
    pictures: str


@dataclass(frozen=True)
class Changes:
    """By how much the main score and the log loss differ."""

    score: Change
    log_loss: Change


def changes(
    before: Predictions,
    after: Predictions,
    split: str,
    kinds: tuple[Kind, Kind],
    section: Values,
) -> Changes | None:
    """Scores of `after` less those of `before`; None where they share no labelled picture.

    Args:
        before: all pictures of one checkpoint.
        after: all pictures of another one.
        split: valid or test.
        kinds: predictions of `before` and of `after` that are used.
        section: tta_evaluate of params.yaml.

    Raises:
        HeadstartError: the tasks or the classes differ.
    """
    first, second = shared_pictures(before, after, split)
    search, form = section["thresholds"], SCORES[after.task]
    found = score_differences(first, second, split, kinds, search, scoring_of(section))
    if not found:
        return None
    there = picture_scores(first, split, kinds[0], search)
    here = picture_scores(second, split, kinds[1], search)
    pictures = f"{(here > there).sum():,} better, {(here < there).sum():,} worse"
    return Changes(_told(found[form.key], form, pictures), _told(found["log_loss"], LOG_LOSS, ""))


def number(values: Values, form: Form) -> Number:
    """A score of a metrics file with its interval, as text."""
    score, low, high = (
        f"{form.factor * values[f'{form.key}{end}']:.{form.n_decimals}f}"
        for end in ("", "_ci_low", "_ci_high")
    )
    return Number(f"{score}{form.unit}", f"{low} to {high}")


def signed_change(value: float, low: float, high: float) -> Change:
    """A difference of log losses and its interval, as text."""
    return _told(Difference(value, low, high), LOG_LOSS, "")


def _told(difference: Difference, form: Form, pictures: str) -> Change:
    def signed(value: float) -> str:
        rounded = float(np.round(form.factor * value, form.n_decimals))
        sign = "+" if rounded > 0 else "−" if rounded < 0 else ""
        return f"{sign}{abs(rounded):.{form.n_decimals}f}"

    return Change(
        signed(difference.value),
        f"{signed(difference.low)} to {signed(difference.high)}",
        difference.within_noise,
        pictures,
    )
