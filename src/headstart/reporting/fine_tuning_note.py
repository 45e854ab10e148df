"""A note for the report if fine-tuning did not help."""

from collections.abc import Mapping
from typing import Any


def fine_tuning_note(metrics: Mapping[str, Any]) -> str:
    """A sentence if fine-tuning did not help, else an empty text.

    Args:
        metrics: of unfreeze_finetune: kept_epoch, n_epochs; with a valid split also
            worse_than_start, and start and kept (scores with log_loss among them).
    """
    if "start" not in metrics:
        return ""
    before, after = metrics["start"]["log_loss"], metrics["kept"]["log_loss"]
    if metrics["worse_than_start"]:
        return (
            f"Fine-tuning made the network worse (log loss on valid {before:.4f} before, {after:.4f} "
            "after). The last weights were kept, because unfreeze_finetune.keep is last; best would "
            "have kept the weights from before fine-tuning."
        )
    if metrics["kept_epoch"] == 0:
        return (
            f"No cycle of fine-tuning ended better than the start (log loss on valid {before:.4f}): "
            "the weights from before fine-tuning were kept."
        )
    return ""
