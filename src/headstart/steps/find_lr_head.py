"""The learning-rate range test of a fresh head on cached activations."""

from headstart.activations.stored import Activations
from headstart.backbone.device import Compute
from headstart.backbone.seeding import torch_seed
from headstart.labels.labels import Labels
from headstart.network.head import HeadParams, create_head
from headstart.project.report import Report
from headstart.training.cached_head import cached_material, head_trainer
from headstart.training.feature_source import FeatureSource
from headstart.training.lr_curve import LrCurve, RangeTestParams
from headstart.training.optimizer import OptimizerParams
from headstart.training.phases import head_phase
from headstart.training.range_test import range_test
from headstart.training.resume import FROM_THE_START, Resume
from headstart.training.sampling import SamplingParams, balanced

# All code that the stage declares: an edit of it makes the states of a broken-off run stale.
ROOMS = (
    "steps/find_lr_head.py", "activations", "backbone", "kept", "labels", "network",
    "pictures", "project", "scores", "training",
)  # fmt: skip


class FindLrHeadParams(RangeTestParams):
    """Section `find_lr_head`."""


def find_lr_head(
    activations: Activations,
    labels: Labels,
    params: FindLrHeadParams,
    head_params: HeadParams,
    optimizer: OptimizerParams,
    sampling: SamplingParams,
    compute: Compute,
    report: Report,
    resume: Resume = FROM_THE_START,
) -> LrCurve:
    """Train a fresh head, which is discarded; the same params give the same curve.

    `resume` keeps states, for a run that is broken off.
    """
    ids = labels.labelled("train")
    with torch_seed(params.seed, "head"):
        head = create_head(activations.features.shape[-1], len(labels.classes), head_params)
    source = FeatureSource(activations.of(ids), labels.targets(ids), compute.device)
    balance = balanced(labels.task, source.targets, len(labels.classes), sampling)
    trainer = head_trainer(head, optimizer, balance, params.seed, compute.device, report, resume)
    material = cached_material(head, source, None, balance[1])
    return range_test(trainer, head_phase(head, 1.0, optimizer, material), params)
