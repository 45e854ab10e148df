"""The confusion report of a single_label task as one self-contained HTML page."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from headstart.labels.task import Task
from headstart.reporting.confusion import Pick
from headstart.reporting.html_page import contact_sheet, html_page, image
from headstart.reporting.score_tables import (
    COLUMNS,
    Scores,
    checkpoint_rows,
    recall_heads,
    recall_rows,
    score_cards,
    splits_of,
)

WRONG = (
    "Wrong predictions, lowest probability of the actual class first. Above each picture: the "
    "predicted class and its probability; the actual class and its probability; the file."
)
CLASS_SHEETS: dict[Pick, tuple[str, str]] = {
    "most_wrong": ("Most wrong", WRONG),
    "most_uncertain": (
        "Most uncertain",
        "Pictures whose probability of the actual class is nearest to 1/K (K classes), nearest first.",
    ),
    "most_correct": (
        "Most correct",
        "Right predictions, highest probability of the actual class first.",
    ),
}
"""The heading of each contact sheet, and what the sheet shows."""


def confusion_page(
    scores: Scores,
    summary: str,
    matrix: Figure,
    pairs: pd.DataFrame,
    sheets: Sequence[tuple[str, str, Figure]],
) -> str:
    """Build the page of a single_label task.

    Args:
        scores: of all checkpoints, the final one at the top level; missing scores are left out, and
            without any score the page is only the summary
        summary: one sentence: which checkpoint's errors on which pictures
        matrix: the confusion matrix
        pairs: columns actual, predicted, count, share; most frequent first
        sheets: (heading, what it shows, contact sheet)
    """
    return html_page(
        "single_label.html",
        **shared_values(scores, summary, "single_label", matrix, pairs, sheets),
        recall_heads=recall_heads(scores),
        recalls=recall_rows(scores),
    )


def shared_values(
    scores: Scores,
    summary: str,
    task: Task,
    matrix: Figure,
    pairs: pd.DataFrame,
    sheets: Sequence[tuple[str, str, Figure]],
) -> dict[str, Any]:
    """The values that the pages of both tasks show, by their names in the templates."""
    return {
        "summary": summary,
        "splits": splits_of(scores),
        "cards": score_cards(scores, task),
        "heads": [head for head, *_ in COLUMNS[task]],
        "checkpoints": checkpoint_rows(scores, task),
        "matrix": image(matrix),
        "pairs": pairs.to_numpy(object).tolist(),
        "sheets": [(heading, text, contact_sheet(sheet)) for heading, text, sheet in sheets],
    }
