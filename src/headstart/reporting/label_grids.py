"""Label by label as HTML: 2 x 2 tables that are tinted, thresholds, precision and recall."""

from html import escape
from typing import Any

import pandas as pd

from headstart.reporting.score_tables import Scores, share_cell, splits_of

LABEL_STYLE = """
table.labels > tbody > tr > td { vertical-align: middle; padding: 6px 10px }
table.labels > tbody > tr > td:first-child { font-weight: 600; overflow-wrap: anywhere;
  max-width: 240px }
table.two { border-collapse: separate; border-spacing: 2px }
table.two td { min-width: 92px; padding: 1px 8px; border: 0; border-radius: 4px;
  font-weight: 400; text-align: right; white-space: nowrap }
table.two small { display: inline; float: left; margin-right: 10px; color: inherit; opacity: .7;
  line-height: 24px }
"""

GREEN, RED, GREY = "39, 103, 73", "197, 48, 48", "113, 128, 150"
"""As red, green, blue; how full they are is a share."""


def label_table(tables: pd.DataFrame, scores: Scores, split: str, kind: str) -> str:
    """A row a label: its 2 x 2 table, its threshold, precision and recall of each split.

    Args:
        tables: as two_by_two_tables
        scores: nested, with precision and recall by label, each with its interval
        split: valid or test: whose pictures `tables` counts
        kind: plain or tta: which of the scores
    """
    splits = splits_of(scores)
    top = "".join(f'<th colspan="2">{name}</th>' for name in splits)
    heads = "<th>precision</th><th>recall</th>" * len(splits)
    rows = [
        f"<tr><th></th><th></th><th></th>{top}</tr>",
        f"<tr><th>label</th><th>pictures of {split}</th><th>threshold</th>{heads}</tr>",
    ]
    for row in tables.to_dict("records"):
        name = str(row["label"])
        cells = [
            share_cell(scores[of_split][kind], key, name)
            for of_split in splits
            for key in ("precision", "recall")
        ]
        rows.append(
            f"<tr><td>{escape(name)}</td><td>{_two_by_two(row)}</td>"
            f"<td>{row['threshold']:.2f}</td>{''.join(cells)}</tr>"
        )
    return f'<table class="labels"><tbody>{"".join(rows)}</tbody></table>' if len(tables) else ""


def absent_labels(scores: Scores) -> str:
    """A sentence a split that has no picture of some label, naming those; or nothing."""
    of_splits = {split: scores[split]["tta"].get("labels_absent") for split in splits_of(scores)}
    return " ".join(
        f"No picture of {split} has: {names}." for split, names in of_splits.items() if names
    )


def _two_by_two(row: dict[Any, Any]) -> str:
    """Found and missed above extra and neither, each the fuller the more of its kind it is."""
    found, missed, extra, neither = (row[key] for key in ("found", "missed", "extra", "neither"))
    lines = (
        (("found", found, GREEN, found + missed), ("missed", missed, RED, found + missed)),
        (("extra", extra, RED, found + extra), ("neither", neither, GREY, 0)),
    )
    cells = "".join(f"<tr>{''.join(_cell(*cell) for cell in line)}</tr>" for line in lines)
    return f'<table class="two">{cells}</table>'


def _cell(word: str, count: int, colour: str, whole: int) -> str:
    tint = f"{colour}, {0.1 + 0.4 * count / whole:.2f}" if count and whole else f"{GREY}, 0.08"
    return f'<td style="background: rgba({tint})"><small>{word}</small>{count}</td>'
