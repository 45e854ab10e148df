"""The learning-rate range test of the whole network, before it is fine-tuned."""

from pydantic import Field

from headstart.backbone.backbone import Backbone
from headstart.backbone.sizes import Size, px
from headstart.backbone.teams import Teams
from headstart.labels.labels import Labels
from headstart.network.checkpoints import Checkpoint
from headstart.network.network import join
from headstart.project.report import Report
from headstart.training.fit import Trainer
from headstart.training.lr_curve import LrCurve, RangeTestParams
from headstart.training.material import Material
from headstart.training.parts import Split
from headstart.training.phases import FinetuneOptimizerParams, unfrozen
from headstart.training.picture_source import PictureSource
from headstart.training.range_test import range_test
from headstart.training.resume import FROM_THE_START, Resume
from headstart.training.sampling import SamplingParams, balanced
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

# All code that the stage declares: an edit of it makes the states of a broken-off run stale.
ROOMS = (
    "steps/find_lr_finetune.py", "backbone", "kept", "labels", "network", "pictures",
    "project", "scores", "training", "views",
)  # fmt: skip


class FindLrFinetuneParams(RangeTestParams):
    """Section `find_lr_finetune`: all layer groups train, at rates in the optimiser's ratio."""

    size_px: Size = Field(
        description="side of the network input, px, 32 to 4,096, as in the first phase of "
        "unfreeze_finetune; full: backbone.size_px"
    )


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
    resume: Resume = FROM_THE_START,
) -> LrCurve:
    """Train a copy of the network, which is discarded; the same params give the same curve.

    `resume` keeps states, for a run that is broken off.

    Raises:
        ValueError: the head belongs to another backbone, or size_px is larger than `pictures`.
    """
    sized = pictures.at(px(params.size_px, pictures.size_px, "find_lr_finetune.size_px"), report)
    network = join(backbone, start.info.weights, start.part("head"), optimizer.dropout)
    ids = labels.labelled("train")
    targets = labels.targets(ids)
    sampler, objective = balanced(labels.task, targets, len(labels.classes), sampling)
    trainer = Trainer(
        model=network,
        sampler=sampler,
        optimizer=optimizer,
        objective=objective,
        seed=params.seed,
        report=report,
        resume=resume,
        split=Split(optimizer.n_accumulate, teams=Teams.of(backbone.compute.device)),
    )
    material = Material(PictureSource(sized, ids, targets, augment, params.seed), evaluate=None)
    return range_test(trainer, unfrozen(network, 0, optimizer, 1.0, material), params)
