"""The report of a single_label task as one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from headstart.labels.task import Task
from headstart.reporting.album import Pair, Sheet
from headstart.reporting.calibration_table import calibration_rows
from headstart.reporting.class_table import class_rows
from headstart.reporting.confusion import Pick
from headstart.reporting.cost_table import cost_rows
from headstart.reporting.drawings import Drawings
from headstart.reporting.facts import Facts
from headstart.reporting.html_page import html_page
from headstart.reporting.label_audit import Suspects
from headstart.reporting.matrix_grid import Grid
from headstart.reporting.near_pairs import NearPair
from headstart.reporting.score_tables import (
    Scores,
    checkpoint_rows,
    columns_of,
    score_cards,
    shown_columns,
    splits_of,
    view_name,
)
from headstart.reporting.thumbnails import Thumbnails

CLASS_SHEETS: dict[Pick, tuple[str, str]] = {
    "most_wrong": (
        "Most wrong",
        "Wrong predictions, lowest probability of the actual class first.",
    ),
    "most_uncertain": (
        "Most uncertain",
        "Pictures whose probability of the actual class is nearest to 1/K (K classes), nearest first.",
    ),
    "most_correct": (
        "Most correct",
        "Right predictions, highest probability of the actual class first.",
    ),
}
"""The heading of each sheet of pictures, and what the sheet shows."""


@dataclass(frozen=True)
class ReportedOn:
    """The predictions whose errors the page shows."""

    split: str
    """valid or test."""
    kind: str
    """plain or tta."""
    confidence: float
    """Level of the intervals, in (0, 1)."""


@dataclass(frozen=True)
class Around:
    """What both pages show around the errors.

    Attributes:
        drawings: of the trainings and the predictions.
        facts: the written parts; None for none.
        audit: labels that may be wrong; None where they were not judged.
        near: the first pairs of near duplicates.
    """

    drawings: Drawings
    facts: Facts | None
    audit: Suspects | None = None
    near: Sequence[NearPair] = ()


@dataclass(frozen=True)
class Errors:
    """What the pages of both tasks show of the errors."""

    matrix: Grid
    tables: pd.DataFrame
    """The 2 x 2 table of each class, as two_by_two_tables."""
    listed: pd.DataFrame
    """Columns actual, predicted, count, share; most frequent first."""
    pairs: list[Pair]
    """The first of `listed`, with pictures."""
    sheets: list[Sheet]
    n_without_sheet: int
    """Classes that the sheets leave out."""
    thumbnails: Thumbnails


def confusion_page(
    scores: Scores, summary: str, errors: Errors, around: Around, reported_on: ReportedOn
) -> str:
    """Build the page of a single_label task.

    Args:
        scores: of all checkpoints, the final one at the top level; missing scores are left out, and
            without any score no errors are shown
        summary: which checkpoint's errors on which pictures, in a few sentences
        errors: of these predictions
        around: what else is shown
        reported_on: these predictions
    """
    on = (reported_on.split, reported_on.kind)
    others = [column for column in columns_of(scores) if column != on]
    return html_page(
        "single_label.html",
        **shared_values(scores, summary, "single_label", errors, around, reported_on),
        classes=class_rows(errors.tables, scores, reported_on.confidence, others),
        costs=cost_rows(scores),
        others=[f"{split} {view_name(kind)}" for split, kind in others],
    )


def shared_values(
    scores: Scores,
    summary: str,
    task: Task,
    errors: Errors,
    around: Around,
    reported_on: ReportedOn,
) -> Mapping[str, Any]:
    """The values that the pages of both tasks show, by their names in the templates."""
    return {
        "summary": summary,
        "splits": splits_of(scores),
        "cards": score_cards(scores, task),
        "heads": [head for head, *_ in shown_columns(scores, task)],
        "checkpoints": checkpoint_rows(scores, task),
        "split": reported_on.split,
        "view": view_name(reported_on.kind),
        "level": f"{reported_on.confidence:.4g}".removeprefix("0."),
        "drawings": around.drawings,
        "calibration": calibration_rows(scores),
        "facts": around.facts,
        "near": around.near,
        "audit": around.audit,
        "matrix": errors.matrix,
        "pairs": errors.pairs,
        "more_pairs": errors.listed[len(errors.pairs) :].to_numpy(object).tolist(),
        "sheets": errors.sheets,
        "n_without_sheet": errors.n_without_sheet,
        "thumbnail_rules": errors.thumbnails.rules(),
        "heat_rules": errors.thumbnails.heat_rules(),
    }
