"""A note for the report if fine-tuning did not help."""

from collections.abc import Mapping
from typing import Any

from headstart.labels.task import SCORE

NAMES = {"log_loss": "log loss"} | {name.lower(): name for name in SCORE.values()}


def fine_tuning_note(metrics: Mapping[str, Any]) -> str:
    """A sentence if fine-tuning did not help, else an empty text.

    Args:
        metrics: of unfreeze_finetune: kept_epoch, n_epochs; with a valid split also
            worse_than_start, and start and kept (scores with log_loss among them); and
            worse_first_cycle, if that ended the training.
    """
    if "start" not in metrics:
        return ""
    before, after = metrics["start"]["log_loss"], metrics["kept"]["log_loss"]
    if "worse_first_cycle" in metrics:
        found = " and ".join(
            f"{NAMES[name]} on valid {values['before']:.4f} before, {values['after']:.4f} after"
            for name, values in metrics["worse_first_cycle"].items()
        )
        return (
            f"Fine-tuning stopped after its first cycle: the head is better beyond noise ({found}), "
            "and was kept."
        )
    if metrics["worse_than_start"]:
        return (
            f"Fine-tuning made the network worse (log loss on valid {before:.4f} before, {after:.4f} "
            "after). The last weights were kept, because unfreeze_finetune.keep is last; best would "
            "have kept the weights from before fine-tuning."
        )
    if metrics["kept_epoch"] == 0:
        start = ", ".join(f"{NAMES[name]} {value:.4f}" for name, value in metrics["start"].items())
        return (
            f"No cycle of fine-tuning ended better than the start ({start} on valid): "
            "the weights from before fine-tuning were kept."
        )
    return ""
