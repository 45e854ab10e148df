"""`seeds.json`: the spread over seeds that `headstart seeds` found, which `headstart compare` tells."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from headstart.commands.spread import Spread, mean_and_sd
from headstart.labels.task import SCORE
from headstart.tracking.state import flatten

SPREAD_FILE = "seeds.json"
SEEDED = ("train_head", "train_augmented", "unfreeze_finetune")
"""Sections whose seed shapes a training."""


def spread_text(params: Mapping[str, Any], rows: Iterable[Spread]) -> str:
    """The content of seeds.json.

    Args:
        params: section -> values, or dotted key -> value, with which the experiments ran.
        rows: spreads over seeds; those of fewer than two values are left out.
    """
    scores = {
        row.metric: {"n": len(row.known), "mean": row.mean, "sd": row.sd, "values": row.values}
        for row in rows
        if row.sd is not None
    }
    content = {"params": _without_seeds(params), "scores": scores}
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def spread_note(name: str, params: Mapping[str, Any], content: bytes | None) -> list[str]:
    """A sentence on how far the scores of a run differ between seeds; none where that is not known.

    Args:
        name: of the run.
        params: section -> values, with which it ran.
        content: of its seeds.json; None without one.
    """
    try:
        kept = json.loads(content or b"{}")
        if kept.get("params") != _without_seeds(params):
            return []
        parts = [part for split in ("valid", "test") for part in _of_split(kept["scores"], split)]
    except (ValueError, KeyError, TypeError, AttributeError):  # not as it was written
        return []
    if not parts:
        return []
    return [f"{name}, mean over seeds (sd; {SPREAD_FILE}): {', '.join(parts)}."]


def _of_split(scores: Mapping[str, Any], split: str) -> list[str]:
    """The main score of each kind of prediction, such as `test accuracy 0.9400 (0.0050) of 3`."""
    found = []
    for kind, shown in (("plain", ""), ("tta", "TTA ")):
        for score in SCORE.values():
            if of := scores.get(f"tta_evaluate.{split}.{kind}.{score.lower()}"):
                known = [value for value in of["values"] if value is not None]
                found.append(f"{split} {shown}{score} {mean_and_sd(known)} of {len(known)}")
    return found


def _without_seeds(params: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted key -> value of all params but the seeds of the trainings, as JSON has them."""
    seeds = {f"{section}.seed" for section in SEEDED}
    flat = {key: value for key, value in flatten(params).items() if key not in seeds}
    kept: dict[str, Any] = json.loads(json.dumps(flat))
    return kept
