"""The confusion report of one class a picture as one HTML page that needs nothing beside it."""

from collections.abc import Sequence
from html import escape

import pandas as pd
from matplotlib.figure import Figure

from headstart.labels.task import Task
from headstart.reporting.confusion import Pick
from headstart.reporting.html_page import html_page, image, photos, section
from headstart.reporting.score_tables import (
    Scores,
    checkpoint_table,
    html_table,
    recall_table,
    score_cards,
    splits_of,
)

INTERVAL = (
    "In grey: confidence interval. It answers for the choice of pictures, not for the seed of the "
    "training."
)
CHECKPOINTS: dict[Task, str] = {
    "single_label": "Accuracy of the plain view and of TTA, log loss and macro-F1 of TTA, over the "
    f"whole split. {INTERVAL}",
    "multi_label": "Mean F2 of the pictures at thresholds that were found without them; mAP and "
    f"log loss of TTA, over the whole split. {INTERVAL}",
}

WRONG = (
    "Wrong, with the lowest probability of the actual class first. Above each picture: what was "
    "predicted, with what probability; the actual class and its probability; the file."
)
CLASS_SHEETS: dict[Pick, tuple[str, str]] = {
    "most_wrong": ("Most wrong", WRONG),
    "most_uncertain": ("Most uncertain", "Probability of the actual class nearest to 1/K first."),
    "most_correct": (
        "Most correct",
        "Right, with the highest probability of the actual class first.",
    ),
}
"""Of each contact sheet: its heading and what it shows."""


def confusion_page(
    scores: Scores,
    summary: str,
    matrix: Figure,
    pairs: pd.DataFrame,
    sheets: Sequence[tuple[str, str, Figure]],
) -> str:
    """Build the page of a single_label task.

    Args:
        scores: of all checkpoints, final one on top; what it lacks is left out, and without any
            score all but the summary
        summary: one sentence: whose errors on what
        matrix: the confusion matrix
        pairs: columns actual, predicted, count, share; most frequent first
        sheets: (heading, what it shows, contact sheet)
    """
    top = top_of_page(scores, summary, "single_label")
    if not splits_of(scores):
        return html_page("Confusion report", top)
    shown = pairs.assign(share=[f"{share:.1%}" for share in pairs["share"]])
    parts = [
        *top,
        '<div class="row"><div>',
        section("Confusion matrix", "Counts; the colour is the share of its row.", image(matrix)),
        "</div><div>",
        section("Recall by class", "Share of each class that was found.", recall_table(scores)),
        section(
            "Most confused pairs",
            "Share: of the pictures of the actual class." if len(pairs) else "None.",
            html_table(shown) if len(pairs) else "",
        ),
        "</div></div>",
        *(section(heading, text, photos(sheet)) for heading, text, sheet in sheets),
    ]
    return html_page("Confusion report", parts)


def top_of_page(scores: Scores, summary: str, task: Task) -> list[str]:
    """Heading, summary, cards and the checkpoints' scores; without any score the first two."""
    top = ["<h1>Confusion report</h1>", f'<p class="lead">{escape(summary)}</p>']
    if not splits_of(scores):
        return top
    return [
        *top,
        score_cards(scores, task),
        section(
            "What each step of the recipe gave", CHECKPOINTS[task], checkpoint_table(scores, task)
        ),
    ]
