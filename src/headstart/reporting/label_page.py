"""The confusion report of any number of labels a picture as one HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from headstart.reporting.confusion import Pick
from headstart.reporting.confusion_page import top_of_page
from headstart.reporting.html_page import html_page, image, photos, section
from headstart.reporting.label_grids import LABEL_STYLE, absent_labels, label_table
from headstart.reporting.score_tables import Scores, html_table, splits_of

LABELS = (
    "Above, the pictures that have the label: found or missed. Below, those that do not: given it "
    "in excess, or not. The fuller the red, the larger the share of what is missed, or of what is "
    "said wrongly. Precision: share of those given the label that have it; recall: share of those "
    "that have it that were given it."
)
OWN_THRESHOLDS = (
    " The counts are those of valid at thresholds found on valid; its precision, recall and F2 are "
    "decided at thresholds found without the picture, so they can differ."
)
MISSED_FOR = (
    "A label that was found counts on the diagonal. One that was missed counts in its row against "
    "each label that its picture was given in excess, or in the last column where there was none. "
    "One in excess where nothing was missed counts in the last row. The colour is the share of "
    "the row."
)

MISSED = (
    "Pictures that have the label and were not given it, lowest probability first; then those that "
    "were given it and do not have it, highest first. Above each picture: which of its labels are "
    "missed and which are extra; the probability of the row's label against its threshold; the "
    "file. Green: the row's label is right there, whatever the others are."
)
LABEL_SHEETS: dict[Pick, tuple[str, str]] = {
    "most_wrong": ("Most wrong", MISSED),
    "most_uncertain": (
        "Most uncertain",
        "Probability of the label nearest to its threshold first.",
    ),
    "most_correct": (
        "Most correct",
        "Pictures that have the label and were given it, highest probability first.",
    ),
}
"""Of each contact sheet: its heading and what it shows."""


@dataclass(frozen=True)
class ReportedOn:
    """Whose errors the page is about."""

    split: str
    """valid or test."""
    kind: str
    """Predictions: plain or tta."""


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
        scores: of all checkpoints, final one on top; what it lacks is left out, and without any
            score all but the summary
        summary: one sentence: whose errors on what
        matrix: what is missed for what
        pairs: columns actual, predicted, count, share; most frequent first
        sheets: (heading, what it shows, contact sheet)
        tables: the 2 x 2 table of each label, as two_by_two_tables
        reported_on: what summary, matrix, pairs, sheets and tables are of
    """
    top = top_of_page(scores, summary, "multi_label")
    if not splits_of(scores):
        return html_page("Confusion report", top)
    shown = pairs.assign(share=[f"{share:.1%}" for share in pairs["share"]])
    shown.columns = pd.Index(["missed", "said instead", "count", "share"])
    searched = reported_on.split == "valid" and "valid" in splits_of(scores)
    own = OWN_THRESHOLDS if searched else ""
    parts = [
        *top,
        section(
            "Label by label",
            f"{LABELS}{own} {absent_labels(scores)}".rstrip(),
            label_table(tables, scores, reported_on.split, reported_on.kind),
        ),
        '<div class="row"><div>',
        section("What is missed for what", MISSED_FOR, image(matrix)),
        "</div><div>",
        section(
            "Most confused pairs",
            "Share: of the row of the matrix." if len(pairs) else "None.",
            html_table(shown) if len(pairs) else "",
        ),
        "</div></div>",
        *(section(heading, text, photos(sheet)) for heading, text, sheet in sheets),
    ]
    return html_page("Confusion report", parts, LABEL_STYLE)
