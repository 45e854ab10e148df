"""The confusion report as one HTML page that needs nothing beside it: style and pictures inside."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

Scores = Mapping[str, Any]
"""Nested as in metrics/tta_evaluate.json: <split>.<plain|tta>.<score>, checkpoints.<name>.…"""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a202c; background: #f7fafc; margin: 0 }
main { max-width: 1240px; margin: 0 auto; padding: 24px 32px 64px }
h1 { margin: 8px 0 0; font-size: 28px } h2 { margin: 40px 0 8px; font-size: 20px }
p { margin: 4px 0 12px; color: #4a5568 } p.lead { font-size: 18px }
.cards { display: flex; flex-wrap: wrap; gap: 16px; margin: 20px 0 }
.card { background: white; border: 1px solid #e2e8f0; border-radius: 10px; padding: 12px 20px }
.card b { display: block; font-size: 28px; line-height: 1.3 }
small { color: #718096; white-space: nowrap }
.box { background: white; border: 1px solid #e2e8f0; border-radius: 10px; padding: 12px 16px;
  margin: 0 0 16px; width: fit-content; max-width: 100%; box-sizing: border-box; overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 5px 8px; text-align: right; vertical-align: top }
th:first-child, td:first-child { text-align: left }
.row { display: flex; flex-wrap: wrap; gap: 0 32px } .row > div { max-width: 100% }
th[colspan] { text-align: center } td small { display: block; font-weight: 400 }
tr + tr > * { border-top: 1px solid #edf2f7 }
th { color: #4a5568; font-weight: 600 } tr.chosen { font-weight: 600 }
img { display: block; max-width: 100%; height: auto }
"""


def confusion_page(
    scores: Scores,
    summary: str,
    matrix: Figure,
    pairs: pd.DataFrame,
    sheets: Sequence[tuple[str, str, Figure]],
) -> str:
    """Build the page.

    Args:
        scores: of all checkpoints, final one on top; what it lacks is left out
        summary: one sentence: whose errors on what
        matrix: the confusion matrix
        pairs: columns actual, predicted, count, share; most frequent first
        sheets: (heading, what it shows, contact sheet)
    """
    splits = [split for split in ("valid", "test") if split in scores]
    cards = [_card(scores[split], split, kind) for split in splits for kind in ("plain", "tta")]
    shown = pairs.assign(share=[f"{share:.1%}" for share in pairs["share"]])
    parts = [
        "<h1>Confusion report</h1>",
        f'<p class="lead">{escape(summary)}</p>',
        f'<div class="cards">{"".join(cards)}</div>',
        _section(
            "What each step of the recipe gave",
            "Accuracy of the plain view and of TTA, log loss and macro-F1 of TTA, over the whole "
            "split. In grey: confidence interval. It answers for the choice of pictures, not for "
            "the seed of the training.",
            _checkpoints(scores.get("checkpoints", {}), splits),
        ),
        '<div class="row"><div>',
        _section("Confusion matrix", "Counts; the colour is the share of its row.", _image(matrix)),
        "</div><div>",
        _section(
            "Recall by class", "Share of each class that was found.", _recalls(scores, splits)
        ),
        _section(
            "Most confused pairs",
            "Share: of the pictures of the actual class." if len(pairs) else "None.",
            _table(shown) if len(pairs) else "",
        ),
        "</div></div>",
        *(_section(heading, text, _image(sheet)) for heading, text, sheet in sheets),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Confusion report</title>'
        f"<style>{STYLE}</style></head><body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def _section(heading: str, text: str, content: str) -> str:
    box = f'<div class="box">{content}</div>' if content else ""
    return f"<h2>{escape(heading)}</h2><p>{escape(text)}</p>{box}"


def _card(scores: Scores, split: str, kind: str) -> str:
    values = scores[kind]
    label = "TTA" if kind == "tta" else kind
    return (
        f'<div class="card">{split}, {label}<b>{values["accuracy"]:.2%}</b>'
        f"<small>{_interval(values, 'accuracy', '.1%')} of {values['n_pictures']}</small></div>"
    )


def _checkpoints(checkpoints: Mapping[str, Scores], splits: Sequence[str]) -> str:
    """A row a checkpoint, four columns a split; the last one, which is the final one, in bold."""
    columns = [
        ("plain", "plain", "accuracy", ".1%"),
        ("TTA", "tta", "accuracy", ".1%"),
        ("log loss", "tta", "log_loss", ".3f"),
        ("macro-F1", "tta", "macro_f1", ".3f"),
    ]
    top = "".join(f'<th colspan="{len(columns)}">{split}</th>' for split in splits)
    heads = "".join(f"<th>{head}</th>" for _ in splits for head, *_ in columns)
    rows = [f"<tr><th></th>{top}</tr>", f"<tr><th>checkpoint</th>{heads}</tr>"]
    for name, scores in checkpoints.items():
        cells = [
            f"<td>{scores[split][kind][key]:{form}}"
            f"<small>{_interval(scores[split][kind], key, form)}</small></td>"
            for split in splits
            for _, kind, key, form in columns
        ]
        chosen = ' class="chosen"' if name == list(checkpoints)[-1] else ""
        rows.append(f"<tr{chosen}><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return f"<table>{''.join(rows)}</table>" if checkpoints else ""


def _recalls(scores: Scores, splits: Sequence[str]) -> str:
    """A row a class, two columns a split; an empty cell where a split lacks the class."""
    columns = [(split, kind) for split in splits for kind in ("plain", "tta")]
    heads = "".join(
        f"<th>{split} {'TTA' if kind == 'tta' else kind}</th>" for split, kind in columns
    )
    rows = [f"<tr><th>class</th>{heads}</tr>"]
    for name in sorted({name for split, kind in columns for name in scores[split][kind]["recall"]}):
        cells = [_recall(scores[split][kind], name) for split, kind in columns]
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return f"<table>{''.join(rows)}</table>" if splits else ""


def _recall(values: Scores, name: str) -> str:
    if name not in values["recall"]:
        return "<td></td>"
    low, high = values["recall_ci_low"][name], values["recall_ci_high"][name]
    return f"<td>{values['recall'][name]:.1%}<small>{low:.1%} – {high:.1%}</small></td>"


def _interval(values: Scores, key: str, form: str) -> str:
    return f"{values[f'{key}_ci_low']:{form}} – {values[f'{key}_ci_high']:{form}}"


def _table(table: pd.DataFrame) -> str:
    rows = [table.columns.tolist(), *table.to_numpy(object).tolist()]
    cells = [[escape(str(value)) for value in row] for row in rows]
    head, *body = cells
    lines = ["".join(f"<td>{value}</td>" for value in row) for row in body]
    top = "".join(f"<th>{value}</th>" for value in head)
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _image(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="" src="data:image/png;base64,{content}">'
