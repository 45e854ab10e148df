"""The report of a multi_label task as one self-contained HTML page."""

from headstart.reporting.confusion import Pick
from headstart.reporting.confusion_page import Around, Errors, ReportedOn, shared_values
from headstart.reporting.html_page import html_page
from headstart.reporting.label_grids import LABEL_SCORES, absent_labels, label_rows
from headstart.reporting.score_tables import Scores, splits_of

MISSED = (
    "Pictures that have the label but were not given it, lowest probability first; then pictures that "
    "were given the label but do not have it, highest probability first."
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
"""The heading of each sheet of pictures, and what the sheet shows."""


def label_page(
    scores: Scores, summary: str, errors: Errors, around: Around, reported_on: ReportedOn
) -> str:
    """Build the page of a multi_label task; arguments as confusion_page."""
    return html_page(
        "multi_label.html",
        **shared_values(scores, summary, "multi_label", errors, around, reported_on),
        label_heads=list(LABEL_SCORES),
        labels=label_rows(errors.tables, scores, reported_on.kind),
        searched_thresholds=reported_on.split == "valid" and "valid" in splits_of(scores),
        absent=absent_labels(scores),
    )
