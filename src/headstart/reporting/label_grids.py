"""Tinted 2 x 2 tables, thresholds and scores of each label, as text."""

from typing import Any, NamedTuple

import pandas as pd

from headstart.reporting.score_tables import Number, Scores, share, splits_of

LABEL_SCORES = {"precision": "precision", "recall": "recall", "F1": "f1", "ROC-AUC": "roc_auc_of"}
"""Heading and key of what is shown of each label."""
GREEN, RED, GREY = "39, 103, 73", "197, 48, 48", "113, 128, 150"
"""As red, green, blue; the opacity of a cell shows a share."""


class CountCell(NamedTuple):
    """One of the four counts of a label.

    Attributes:
        word: found, missed, extra or neither.
        n: pictures.
        tint: red, green, blue and opacity, for CSS; the opacity grows with the share of the count.
    """

    word: str
    n: int
    tint: str


class LabelRow(NamedTuple):
    """The text of the page about one label.

    Attributes:
        name: of the label.
        lines: two lines of two cells: found and missed; extra and neither.
        threshold: two decimals.
        scores: LABEL_SCORES of each split.
    """

    name: str
    lines: list[list[CountCell]]
    threshold: str
    scores: list[Number]


def label_rows(tables: pd.DataFrame, scores: Scores, kind: str) -> list[LabelRow]:
    """One row per label.

    Args:
        tables: as two_by_two_tables returns them.
        scores: nested, with LABEL_SCORES by label, each with its interval.
        kind: which of the scores to show: plain or tta.
    """
    return [
        LabelRow(
            name=str(row["label"]),
            lines=_two_by_two(row),
            threshold=f"{row['threshold']:.2f}",
            scores=[
                share(scores[split][kind], key, str(row["label"]))
                for split in splits_of(scores)
                for key in LABEL_SCORES.values()
            ],
        )
        for row in tables.to_dict("records")
    ]


def absent_labels(scores: Scores) -> list[tuple[str, str]]:
    """Each split that has no picture of some labels, and the names of these labels."""
    of_splits = [(split, scores[split]["tta"].get("labels_absent")) for split in splits_of(scores)]
    return [(split, names) for split, names in of_splits if names]


def _two_by_two(row: dict[Any, Any]) -> list[list[CountCell]]:
    found, missed, extra, neither = (row[key] for key in ("found", "missed", "extra", "neither"))
    return [
        [
            _cell("found", found, GREEN, found + missed),
            _cell("missed", missed, RED, found + missed),
        ],
        [_cell("extra", extra, RED, found + extra), _cell("neither", neither, GREY, 0)],
    ]


def _cell(word: str, n: int, colour: str, whole: int) -> CountCell:
    """A cell with count `n`; the tint shows its share of `whole`."""
    tint = f"{colour}, {0.1 + 0.4 * n / whole:.2f}" if n and whole else f"{GREY}, 0.08"
    return CountCell(word, n, tint)
