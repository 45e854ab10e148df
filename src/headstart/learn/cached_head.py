"""A head trained on cached features."""

from functools import partial

from torch import nn

from headstart.core.report import Report
from headstart.learn.fit import Trainer
from headstart.learn.loop import OptimizerParams, cross_entropy
from headstart.learn.scores import score_head
from headstart.learn.sources import FeatureSource


def head_trainer(
    head: nn.Module,
    train: FeatureSource,
    valid: FeatureSource | None,
    optimizer: OptimizerParams,
    seed: int,
    report: Report,
) -> Trainer:
    """A trainer of `head`, which is moved to the device of `train`.

    Args:
        head: features (N, D) -> logits (N, K).
        train: V views.
        valid: its first view, the plain one, is scored after each epoch; None: there is none.
        optimizer: kind, momentum, weight decay, batch size.
        seed: of the order and of dropout.
        report: listens.
    """
    evaluate = None
    if valid and valid.n:
        evaluate = partial(score_head, head, valid.features[0], valid.targets, valid.device)
    return Trainer(
        model=head.to(train.device),
        source=train,
        optimizer=optimizer,
        loss=cross_entropy,
        evaluate=evaluate,
        seed=seed,
        report=report,
    )
