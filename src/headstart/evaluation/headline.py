"""The few scores by which results are compared: the table of `dvc metrics` and `dvc exp show`."""

from collections.abc import Mapping
from typing import Any

from headstart.labels.task import SCORE


def headline(scores: Mapping[str, Any]) -> dict[str, float]:
    """At most eight numbers, with names short enough for a table in a terminal.

    Args:
        scores: metrics of tta_evaluate, <split>.<plain|tta>.<score>.

    Returns:
        for each of valid and test that has scores: `valid` and `valid_tta`, the accuracy (F2 for
        multi_label) of the plain view and of TTA; then `valid_loss`, the log loss of the plain view;
        and `valid_cost`, the mean cost of the plain view decided by costs, where there are costs.
    """
    numbers: dict[str, float] = {}
    splits = [split for split in ("valid", "test") if split in scores]
    for split in splits:
        plain, tta = scores[split]["plain"], scores[split]["tta"]
        key = next(name.lower() for name in SCORE.values() if name.lower() in plain)
        numbers |= {split: plain[key], f"{split}_tta": tta[key]}
    for name, key in (("loss", "log_loss"), ("cost", "cost_decided")):
        numbers |= {
            f"{split}_{name}": scores[split]["plain"][key]
            for split in splits
            if key in scores[split]["plain"]
        }
    return numbers
