"""What a reader must know of the fine-tuning behind a result."""

from collections.abc import Mapping
from typing import Any


def fine_tuning_note(metrics: Mapping[str, Any]) -> str:
    """A sentence where fine-tuning did not help, else nothing.

    Args:
        metrics: of unfreeze_finetune: kept_epoch, n_epochs, and where there was a valid split start
            and kept (scores, log_loss among them) and worse_than_start.
    """
    if "start" not in metrics:
        return ""
    before, after = metrics["start"]["log_loss"], metrics["kept"]["log_loss"]
    if metrics["worse_than_start"]:
        return (
            f"Fine-tuning made the network worse (log loss of valid {before:.4f} before, {after:.4f} "
            "after), and unfreeze_finetune.keep is last: best would have kept the start."
        )
    if metrics["kept_epoch"] == 0:
        return (
            f"No cycle of fine-tuning ended better than it began (log loss of valid {before:.4f}): "
            "the weights from before it were kept."
        )
    return ""
