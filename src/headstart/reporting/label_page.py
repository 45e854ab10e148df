"""The confusion report of a multi_label task as one HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from headstart.reporting.confusion import Pick
from headstart.reporting.confusion_page import shared_values
from headstart.reporting.html_page import html_page
from headstart.reporting.label_grids import absent_labels, label_rows
from headstart.reporting.score_tables import Scores, splits_of

MISSED = (
    "Pictures that have the label but were not given it, lowest probability first; then pictures that "
    "were given the label but do not have it, highest probability first. Above each picture: its "
    "missed and its extra labels; the probability of the row's label against its threshold; the file. "
    "Green: the row's label is right, even if others are not."
)
LABEL_SHEETS: dict[Pick, tuple[str, str]] = {
    "most_wrong": ("Most wrong", MISSED),
    "most_uncertain": (
        "Most uncertain",
        "Pictures whose probability of the label is nearest to its threshold, nearest first.",
    ),
    "most_correct": (
        "Most correct",
        "Pictures that have the label and were given it, highest probability first.",
    ),
}
"""The heading of each contact sheet, and what the sheet shows."""


@dataclass(frozen=True)
class ReportedOn:
    """The predictions whose errors the page shows."""

    split: str
    """valid or test."""
    kind: str
    """plain or tta."""


def label_page(
    scores: Scores,
    summary: str,
    matrix: Figure,
    pairs: pd.DataFrame,
    sheets: Sequence[tuple[str, str, Figure]],
    tables: pd.DataFrame,
    reported_on: ReportedOn,
) -> str:
    """Build the page of a multi_label task.

    Args:
        scores: of all checkpoints, the final one at the top level; missing scores are left out, and
            without any score the page is only the summary
        summary: one sentence: which checkpoint's errors on which pictures
        matrix: which label is missed in place of which
        pairs: columns actual, predicted, count, share; most frequent first
        sheets: (heading, what it shows, contact sheet)
        tables: the 2 x 2 table of each label, as two_by_two_tables
        reported_on: the predictions behind summary, matrix, pairs, sheets and tables
    """
    split = reported_on.split
    return html_page(
        "multi_label.html",
        **shared_values(scores, summary, "multi_label", matrix, pairs, sheets),
        split=split,
        labels=label_rows(tables, scores, reported_on.kind),
        searched_thresholds=split == "valid" and "valid" in splits_of(scores),
        absent=absent_labels(scores),
    )
