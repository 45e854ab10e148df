"""A head trained on cached features."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from headstart.activations.rows import parts
from headstart.network.head import head_logits
from headstart.network.objective import Objective, Scores, multi_hot
from headstart.project.report import Report
from headstart.scores.multi_label import label_counts
from headstart.training.feature_source import FeatureSource
from headstart.training.fit import Trainer
from headstart.training.material import Material
from headstart.training.optimizer import OptimizerParams
from headstart.training.resume import FROM_THE_START, Resume
from headstart.training.sampling import Sampler


def head_trainer(
    head: nn.Module,
    optimizer: OptimizerParams,
    balance: tuple[Sampler, Objective],
    seed: int,
    device: torch.device,
    report: Report,
    resume: Resume = FROM_THE_START,
) -> Trainer:
    """A trainer of `head`, which is moved to `device`.

    Args:
        head: features (N, D) -> logits (N, K).
        optimizer: kind, momentum, gradient clipping, batch size.
        balance: how pictures are drawn, and what is minimised.
        seed: of the order and of dropout.
        device: where the features go.
        report: receives progress and metrics.
        resume: keeps states, for a run that is broken off.
    """
    return Trainer(head.to(device), balance[0], optimizer, balance[1], seed, report, resume)


def cached_material(
    head: nn.Module, train: FeatureSource, valid: FeatureSource | None, objective: Objective
) -> Material:
    """Cached views of train (V views), judged by the plain view of valid where there is any."""
    evaluate: Callable[[], Scores] | None = None
    if valid and len(valid.targets):
        evaluate = partial(score_head, head, valid, objective)
    return Material(train, evaluate)


def score_head(head: nn.Module, valid: FeatureSource, objective: Objective) -> Scores:
    """Scores of a head, in evaluation mode, on the plain view of cached features."""
    return objective.scores(_plain_logits(head, valid), valid.targets)


def balance_effect(
    balanced: nn.Module,
    plain: nn.Module,
    valid: FeatureSource,
    classes: Sequence[str],
    objective: Objective,
) -> dict[str, dict[str, float]]:
    """Recall of each class that occurs in valid, by a head trained with balance and one without.

    Returns:
        recall, recall_without and recall_change (the difference), each by the name of the class.
    """
    truth = multi_hot(valid.targets, len(classes))
    recalls: dict[str, dict[str, float]] = {}
    for name, head in (("recall", balanced), ("recall_without", plain)):
        logits = _plain_logits(head, valid)
        counts = label_counts(objective.decisions(objective.probabilities(logits)), truth)
        found = counts.hits / counts.actual.clip(1)
        recalls[name] = {classes[k]: float(found[k]) for k in counts.actual.nonzero()[0].tolist()}
    without = recalls["recall_without"]
    change = {label: recall - without[label] for label, recall in recalls["recall"].items()}
    return recalls | {"recall_change": change}


def _plain_logits(head: nn.Module, valid: FeatureSource) -> torch.Tensor:
    """Logits (N, K) of the plain view."""
    found = [head_logits(head, part, valid.device) for part in parts(valid.features[0])]
    return torch.cat(found)
