"""The scores of metrics/tta_evaluate.json as cards and tables of HTML; every name is escaped."""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from headstart.labels.task import Task

Scores = Mapping[str, Any]
"""Nested as in metrics/tta_evaluate.json: <split>.<plain|tta>.<score>, checkpoints.<name>.…"""

CARD: dict[Task, tuple[str, str, str, str]] = {
    "single_label": ("", "accuracy", ".2%", ".1%"),
    "multi_label": ("F2, ", "f2", ".4f", ".3f"),
}
"""Of the main score: what stands before split and view, its key, its form, its interval's."""

COLUMNS: dict[Task, list[tuple[str, str, str, str]]] = {
    "single_label": [
        ("plain", "plain", "accuracy", ".1%"),
        ("TTA", "tta", "accuracy", ".1%"),
        ("log loss", "tta", "log_loss", ".3f"),
        ("macro-F1", "tta", "macro_f1", ".3f"),
    ],
    "multi_label": [
        ("F2 plain", "plain", "f2", ".3f"),
        ("F2 TTA", "tta", "f2", ".3f"),
        ("mAP", "tta", "map", ".3f"),
        ("log loss", "tta", "log_loss", ".3f"),
    ],
}
"""Of the checkpoints' table: heading, plain or tta, key, form."""


def splits_of(scores: Scores) -> list[str]:
    """Of valid and test, those that have scores."""
    return [split for split in ("valid", "test") if split in scores]


def score_cards(scores: Scores, task: Task) -> str:
    """A card a split and kind of prediction: the main score, its interval, the pictures."""
    kinds = [(split, kind) for split in splits_of(scores) for kind in ("plain", "tta")]
    cards = "".join(_card(scores[split][kind], split, kind, task) for split, kind in kinds)
    return f'<div class="cards">{cards}</div>'


def checkpoint_table(scores: Scores, task: Task) -> str:
    """A row a checkpoint, four columns a split; the last one, which is the final one, in bold."""
    checkpoints, splits, columns = scores.get("checkpoints", {}), splits_of(scores), COLUMNS[task]
    top = "".join(f'<th colspan="{len(columns)}">{split}</th>' for split in splits)
    heads = "".join(f"<th>{head}</th>" for _ in splits for head, *_ in columns)
    rows = [f"<tr><th></th>{top}</tr>", f"<tr><th>checkpoint</th>{heads}</tr>"]
    for name, of_name in checkpoints.items():
        cells = [
            _score_cell(of_name[split][kind], key, form)
            for split in splits
            for _, kind, key, form in columns
        ]
        chosen = ' class="chosen"' if name == list(checkpoints)[-1] else ""
        rows.append(f"<tr{chosen}><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return f"<table>{''.join(rows)}</table>" if checkpoints else ""


def recall_table(scores: Scores) -> str:
    """A row a class, two columns a split; an empty cell where a split lacks the class."""
    columns = [(split, kind) for split in splits_of(scores) for kind in ("plain", "tta")]
    heads = "".join(f"<th>{split} {_view(kind)}</th>" for split, kind in columns)
    rows = [f"<tr><th>class</th>{heads}</tr>"]
    for name in sorted({name for split, kind in columns for name in scores[split][kind]["recall"]}):
        cells = [share_cell(scores[split][kind], "recall", name) for split, kind in columns]
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return f"<table>{''.join(rows)}</table>" if columns else ""


def share_cell(values: Scores, key: str, name: str) -> str:
    """Share of one class with its interval; empty where it is undefined."""
    if name not in values[key]:
        return "<td></td>"
    low, high = values[f"{key}_ci_low"][name], values[f"{key}_ci_high"][name]
    return f"<td>{values[key][name]:.1%}<small>{low:.1%} – {high:.1%}</small></td>"


def html_table(table: pd.DataFrame) -> str:
    """Headings and cells as they are, escaped."""
    rows = [table.columns.tolist(), *table.to_numpy(object).tolist()]
    cells = [[escape(str(value)) for value in row] for row in rows]
    head, *body = cells
    lines = ["".join(f"<td>{value}</td>" for value in row) for row in body]
    top = "".join(f"<th>{value}</th>" for value in head)
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _card(values: Scores, split: str, kind: str, task: Task) -> str:
    before, key, form, form_of_ends = CARD[task]
    interval = _interval(values, key, form_of_ends)
    claim = values.get(f"{key}_claimed")
    more = "" if claim is None else f"<br><small>the search claims {claim:{form}}</small>"
    return (
        f'<div class="card">{before}{split}, {_view(kind)}<b>{values[key]:{form}}</b>'
        f"<small>{interval} of {values['n_pictures']}</small>{more}</div>"
    )


def _score_cell(values: Scores, key: str, form: str) -> str:
    if key not in values:
        return "<td></td>"
    return f"<td>{values[key]:{form}}<small>{_interval(values, key, form)}</small></td>"


def _interval(values: Scores, key: str, form: str) -> str:
    return f"{values[f'{key}_ci_low']:{form}} – {values[f'{key}_ci_high']:{form}}"


def _view(kind: str) -> str:
    return "TTA" if kind == "tta" else kind
