"""The learning-rate range test of the whole network, before it is fine-tuned."""

from headstart.core.augment import AugmentParams
from headstart.core.lr_curve import LrCurve, RangeTestParams
from headstart.core.report import Report
from headstart.core.sampling import SamplingParams
from headstart.learn.backbone import Backbone
from headstart.learn.fit import Trainer
from headstart.learn.network import join
from headstart.learn.objective import balanced
from headstart.learn.phases import FinetuneOptimizerParams, unfrozen
from headstart.learn.pictures import Pictures
from headstart.learn.sources import PictureSource
from headstart.store.checkpoints import Checkpoint
from headstart.store.index import Labels


class FindLrFinetuneParams(RangeTestParams):
    """Section `find_lr_finetune`: all layer groups train, their rates in the optimiser's ratio."""


def find_lr_finetune(
    backbone: Backbone,
    start: Checkpoint,
    pictures: Pictures,
    labels: Labels,
    augment: AugmentParams,
    params: FindLrFinetuneParams,
    optimizer: FinetuneOptimizerParams,
    sampling: SamplingParams,
    report: Report,
) -> LrCurve:
    """Train a copy that is thrown away; the same params give the same curve.

    Raises:
        ValueError: the head belongs to another backbone.
    """
    network = join(backbone, start.info.weights, start.part("head"), optimizer.dropout)
    ids = labels.labelled("train")
    targets = labels.targets(ids)
    sampler, objective = balanced(labels.task, targets, len(labels.classes), sampling)
    trainer = Trainer(
        model=network,
        source=PictureSource(pictures, ids, targets, augment, params.seed),
        sampler=sampler,
        optimizer=optimizer,
        objective=objective,
        evaluate=None,
        seed=params.seed,
        report=report,
    )
    return trainer.range_test(unfrozen(network, 0, optimizer, lr=1.0), params)
