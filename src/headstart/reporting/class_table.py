"""Recall, precision and F1 of each class, with intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from headstart.evaluation.intervals import Interval, wilson
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


def f1_interval(found: int, wrong: int, confidence: float) -> Interval:
    """An interval of F1 = 2 found / (2 found + wrong), inside [0, 1].

    Of the pictures that have the class or were given it, found / (found + wrong) have both. That is
    a proportion, so Wilson's interval holds for it, and F1 rises with it: F1 = 2 J / (1 + J).

    Args:
        found: pictures that have the class and were given it, ≥ 0
        wrong: pictures that have it or were given it, but not both, ≥ 0; found + wrong ≥ 1
        confidence: level in (0, 1)

    Source: D. J. Hand, P. Christen, N. Kirielle, F*: an interpretable transformation of the
    F-measure, Machine Learning 110 (2021) 451.
    """
    low, high = wilson(found, found + wrong, confidence)
    return 2 * low / (1 + low), 2 * high / (1 + high)


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
