"""Recall, precision and F1 of each class, with intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from headstart.evaluation.intervals import f1_interval, wilson
from headstart.reporting.score_tables import Scores


class Share(NamedTuple):
    """A share in [0, 1] and its interval."""

    value: float
    low: float
    high: float


class ClassRow(NamedTuple):
    """What the page says of one class; a share is None where it is undefined."""

    name: str
    n: int
    """Pictures of the class."""
    recall: Share | None
    precision: Share | None
    f1: Share | None
    recalls: list[Share | None]
    """On the other split and kind of prediction."""


def class_rows(
    tables: pd.DataFrame, scores: Scores, confidence: float, others: Sequence[tuple[str, str]]
) -> list[ClassRow]:
    """One row per class, the most errors first.

    Args:
        tables: as two_by_two_tables returns them
        scores: of the final checkpoint, nested as in metrics/tta_evaluate.json
        confidence: level of the intervals, in (0, 1)
        others: splits and kinds of prediction of `recalls`
    """
    errors = tables["missed"] + tables["extra"]
    ordered = tables.loc[errors.sort_values(ascending=False, kind="stable").index]
    columns = ordered[["label", "found", "missed", "extra"]].itertuples(index=False)
    return [
        _row(name, found, missed, extra, confidence)._replace(
            recalls=[_recall(scores[split][kind], name) for split, kind in others]
        )
        for name, found, missed, extra in columns
    ]


def _row(name: str, found: int, missed: int, extra: int, confidence: float) -> ClassRow:
    wrong = missed + extra
    f1 = None
    if found + wrong:
        f1 = Share(2 * found / (2 * found + wrong), *f1_interval(found, wrong, confidence))
    recall = _share(found, found + missed, confidence)
    return ClassRow(name, found + missed, recall, _share(found, found + extra, confidence), f1, [])


def _recall(values: Scores, name: str) -> Share | None:
    """The recall of a class as it was scored; None where the split lacks the class."""
    if name not in values["recall"]:
        return None
    return Share(*(values[f"recall{end}"][name] for end in ("", "_ci_low", "_ci_high")))


def _share(part: int, whole: int, confidence: float) -> Share | None:
    return Share(part / whole, *wilson(part, whole, confidence)) if whole else None
