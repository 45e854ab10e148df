"""The scores of metrics/tta_evaluate.json as text, for the cards and tables of a page."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from headstart.labels.task import Task

Scores = Mapping[str, Any]
"""Nested as in metrics/tta_evaluate.json: <split>.<plain|tta>.<score>, checkpoints.<name>.…"""

CARD: dict[Task, tuple[str, str, str, str]] = {
    "single_label": ("", "accuracy", ".2%", ".1%"),
    "multi_label": ("F2, ", "f2", ".4f", ".3f"),
}
"""The main score: text before split and view, key, format of the score, format of its interval."""

COLUMNS: dict[Task, list[tuple[str, str, str, str]]] = {
    "single_label": [
        ("plain", "plain", "accuracy", ".1%"),
        ("TTA", "tta", "accuracy", ".1%"),
        ("log loss", "tta", "log_loss", ".3f"),
        ("macro-F1", "tta", "macro_f1", ".3f"),
        ("balanced", "tta", "balanced_accuracy", ".1%"),
        ("top 5", "tta", "top5_accuracy", ".1%"),
        ("ROC-AUC", "tta", "roc_auc", ".4f"),
        ("decided by costs", "tta", "cost_decided", ".3f"),
    ],
    "multi_label": [
        ("F2 plain", "plain", "f2", ".3f"),
        ("F2 TTA", "tta", "f2", ".3f"),
        ("mAP", "tta", "map", ".3f"),
        ("ROC-AUC", "tta", "roc_auc", ".4f"),
        ("log loss", "tta", "log_loss", ".3f"),
    ],
}
"""Columns that a table of checkpoints may have: heading, plain or tta, key, format."""


class Number(NamedTuple):
    """A number and its interval; both empty where there is no such number."""

    value: str = ""
    interval: str = ""


class Card(NamedTuple):
    """The main score of one split and kind of prediction.

    Attributes:
        of: the split and the view; before them the score, unless it is accuracy.
        value: the score.
        interval: its confidence interval.
        n_pictures: how many pictures were scored.
        claimed: multi_label: the score at thresholds found on the same pictures; else empty.
        split: valid or test.
        kind: plain or tta.
    """

    of: str
    value: str
    interval: str
    n_pictures: int
    claimed: str
    split: str
    kind: str


class ScoreRow(NamedTuple):
    """Scores of one checkpoint."""

    name: str
    scores: list[Number]


def splits_of(scores: Scores) -> list[str]:
    """Those of valid and test that have scores."""
    return [split for split in ("valid", "test") if split in scores]


def columns_of(scores: Scores) -> list[tuple[str, str]]:
    """Each split that has scores with each kind of prediction: ("valid", "plain"), ..."""
    return [(split, kind) for split in splits_of(scores) for kind in ("plain", "tta")]


def view_name(kind: str) -> str:
    """plain or TTA, for a reader."""
    return "TTA" if kind == "tta" else kind


def score_cards(scores: Scores, task: Task) -> list[Card]:
    """One card per split and kind of prediction."""
    return [_card(scores[split][kind], split, kind, task) for split, kind in columns_of(scores)]


def shown_columns(scores: Scores, task: Task) -> list[tuple[str, str, str, str]]:
    """The COLUMNS of which a split has the score."""
    return [
        column
        for column in COLUMNS[task]
        if any(column[2] in scores[split][column[1]] for split in splits_of(scores))
    ]


def checkpoint_rows(scores: Scores, task: Task) -> list[ScoreRow]:
    """One row per checkpoint, the final one last, with the shown_columns of each split."""
    return [
        ScoreRow(
            name,
            [
                score(of_name[split][kind], key, form)
                for split in splits_of(scores)
                for _, kind, key, form in shown_columns(scores, task)
            ],
        )
        for name, of_name in scores.get("checkpoints", {}).items()
    ]


def share(values: Scores, key: str, name: str) -> Number:
    """The share of one class with its interval; empty where it is undefined."""
    if name not in values.get(key, {}):
        return Number()
    low, high = values[f"{key}_ci_low"][name], values[f"{key}_ci_high"][name]
    return Number(f"{values[key][name]:.1%}", f"{low:.1%} – {high:.1%}")


def score(values: Scores, key: str, form: str) -> Number:
    """A score and its interval in a format; empty where there is no such score."""
    if key not in values:
        return Number()
    return Number(f"{values[key]:{form}}", _interval(values, key, form))


def _card(values: Scores, split: str, kind: str, task: Task) -> Card:
    before, key, form, form_of_ends = CARD[task]
    claim = values.get(f"{key}_claimed")
    return Card(
        of=f"{before}{split}, {view_name(kind)}",
        value=f"{values[key]:{form}}",
        interval=_interval(values, key, form_of_ends),
        n_pictures=values["n_pictures"],
        claimed="" if claim is None else f"{claim:{form}}",
        split=split,
        kind=kind,
    )


def _interval(values: Scores, key: str, form: str) -> str:
    return f"{values[f'{key}_ci_low']:{form}} – {values[f'{key}_ci_high']:{form}}"
