"""The few scores by which results are compared: the table of `dvc metrics` and `dvc exp show`."""

from collections.abc import Mapping
from typing import Any

from headstart.labels.task import SCORE


def headline(scores: Mapping[str, Any]) -> dict[str, float]:
    """At most six numbers, with names short enough for a table in a terminal.

    Args:
        scores: metrics of tta_evaluate, <split>.<plain|tta>.<score>.

    Returns:
        for each of valid and test that has scores: `valid` and `valid_tta`, the accuracy (F2 for
        multi_label) of the plain view and of TTA; then `valid_loss`, the log loss of the plain view.
    """
    numbers: dict[str, float] = {}
    splits = [split for split in ("valid", "test") if split in scores]
    for split in splits:
        plain, tta = scores[split]["plain"], scores[split]["tta"]
        key = next(name.lower() for name in SCORE.values() if name.lower() in plain)
        numbers |= {split: plain[key], f"{split}_tta": tta[key]}
    return numbers | {f"{split}_loss": scores[split]["plain"]["log_loss"] for split in splits}
