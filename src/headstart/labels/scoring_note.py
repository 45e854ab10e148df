"""Says which scores there are not, and which are too good, and why."""

from collections.abc import Mapping
from typing import Any

from headstart.labels.task import Task


def scoring_note(n_labelled: Mapping[str, int], task: Task) -> str:
    """A note if valid has no labelled picture; "" if it has one.

    Args:
        n_labelled: labelled pictures of each split; a split that does not occur has none.
        task: for multi_label, thresholds are searched on valid.
    """
    if n_labelled.get("valid", 0):
        return ""
    unjudged = "fine-tuning runs to its end (stop_when_worse and keep have no effect)"
    if task == "multi_label":
        unjudged += ", and each label keeps the default threshold"
    if n_labelled.get("test", 0):
        return f"No labelled picture is in valid: {unjudged}."
    return (
        "No labelled picture is in valid or test, so nothing is scored. The model is still trained "
        f"and written: {unjudged}."
    )


def valid_chose(params: Mapping[str, Any]) -> bool:
    """Whether the final network was stopped, or its weights were kept, by what they scored on valid.

    A mean of snapshots keeps the ends of all last cycles, so only a stop is a choice.

    Args:
        params: sections of params.yaml; without unfreeze_finetune nothing was chosen.
    """
    of_training = params.get("unfreeze_finetune", {})
    is_mean = params.get("predict_views", {}).get("snapshots", False)
    keeps_best = of_training.get("keep") == "best" and not is_mean
    return bool(keeps_best or of_training.get("stop_when_worse"))


def choice_of_final(scores: Mapping[str, Any], fine_tuning: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the choice of the final weights by valid is worth, as `training.chosen` tells it.

    Empty where valid did not choose them; of a mean of snapshots it chose no single one.

    Args:
        scores: metrics of tta_evaluate.
        fine_tuning: metrics of unfreeze_finetune.
    """
    final = [*scores.get("checkpoints", {})][-1:]
    choice: Mapping[str, Any] = fine_tuning.get("choice", {}) if final == ["finetuned"] else {}
    return choice
