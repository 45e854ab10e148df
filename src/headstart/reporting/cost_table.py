"""What decisions cost on each split, from the metrics of tta_evaluate, as text for a page."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from headstart.reporting.facts_change import Change, signed_change
from headstart.reporting.score_tables import Number, columns_of, score, view_name


class CostRow(NamedTuple):
    """One split and kind of prediction.

    Attributes:
        of: the split and the view.
        likeliest: mean cost if each picture gets its likeliest class.
        decided: mean cost if it gets the class of lowest expected cost.
        change: the latter less the former, on the same pictures; less is better.
    """

    of: str
    likeliest: Number
    decided: Number
    change: Change


def cost_rows(scores: Mapping[str, Any]) -> list[CostRow]:
    """A row for each split and kind of prediction with costs.

    Args:
        scores: metrics of tta_evaluate.
    """
    return [
        _row(f"{split}, {view_name(kind)}", scores[split][kind])
        for split, kind in columns_of(scores)
        if "cost" in scores[split][kind]
    ]


def _row(of: str, values: Mapping[str, Any]) -> CostRow:
    saved, low, high = (values[f"cost_saved{end}"] for end in ("", "_ci_low", "_ci_high"))
    likeliest, decided = (score(values, key, ".4f") for key in ("cost", "cost_decided"))
    return CostRow(of, likeliest, decided, signed_change(-saved, -high, -low))
