"""Train the course's head on cached activations of the plain view."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field
from torch import nn

from headstart.activations.stored import Manifest, SizedActivations
from headstart.backbone.device import Compute
from headstart.backbone.seeding import torch_seed
from headstart.labels.labels import Labels
from headstart.network.checkpoints import Checkpoint, CheckpointInfo, Training, named_tensors
from headstart.network.head import HeadParams, create_head
from headstart.network.objective import Objective
from headstart.project.report import Report, Silent
from headstart.project.section import Section
from headstart.training.cached_head import balance_effect, cached_material, head_trainer
from headstart.training.feature_source import FeatureSource
from headstart.training.lr_curve import Suggestion
from headstart.training.optimizer import OptimizerParams
from headstart.training.outcome import FitResult
from headstart.training.phases import Rate, head_phase, lower, rate
from headstart.training.resume import FROM_THE_START, Resume
from headstart.training.sampling import SamplingParams, balanced
from headstart.training.schedules import constant

# All code that the stage declares: an edit of it makes the states of a broken-off run stale.
ROOMS = (
    "steps/train_head.py", "activations", "backbone", "kept", "labels", "network",
    "pictures", "project", "scores", "training",
)  # fmt: skip


class TrainHeadParams(Section):
    """Section `train_head`: a constant rate, as in the course's first fit."""

    lr: Rate = Field(description="learning rate, above 0; auto: what find-lr-head suggests")
    n_epochs: int = Field(
        ge=1, le=10_000, description="passes over the cached activations, 1 to 10,000"
    )
    seed: int = Field(
        ge=0, description="seed of the initial weights, the order, and dropout, at least 0"
    )


def train_head(
    activations: SizedActivations,
    labels: Labels,
    params: TrainHeadParams,
    head_params: HeadParams,
    optimizer: OptimizerParams,
    suggestion: Suggestion,
    sampling: SamplingParams,
    compute: Compute,
    report: Report,
    resume: Resume = FROM_THE_START,
    compare: bool = True,
) -> Training:
    """Train a fresh head for `n_epochs` at a constant rate, at the first cached size.

    With `sampling.balance` and `compare`, a second head is trained without balance from the same seed.
    The comparison shows the effect on the recall of each class (`metrics["balance"]`); the second head
    is discarded. `resume` keeps states of the first head, for a run that is broken off.

    Raises:
        ValueError: `lr` is auto and the range test has no suggestion.
        DivergedError: the training diverged.
        ActivationsError: a labelled picture has no cached activations.
    """
    lr = rate(params.lr, suggestion, "train_head.lr")
    cached = activations.first()
    of_train, of_valid = (
        FeatureSource(cached.of(ids), labels.targets(ids), compute.device)
        for ids in (labels.labelled("train"), labels.labelled("valid"))
    )

    def trained(
        sampling: SamplingParams, listener: Report, resume: Resume = FROM_THE_START
    ) -> tuple[nn.Module, FitResult]:
        with torch_seed(params.seed, "head"):
            head = create_head(cached.features.shape[-1], len(labels.classes), head_params)
        balance = balanced(labels.task, of_train.targets, len(labels.classes), sampling)
        trainer = head_trainer(
            head, optimizer, balance, params.seed, compute.device, listener, resume
        )
        material = cached_material(head, of_train, of_valid, balance[1])
        phase = replace(
            head_phase(head, lr, optimizer, material),
            cycles=[1] * params.n_epochs,
            schedule=lambda n_batches: constant(params.n_epochs * n_batches),
            lr_key="train_head.lr",
            remedy=lower(lr, suggestion),
        )
        return head, trainer.fit([phase])

    head, result = trained(sampling, report, resume)
    metrics = {"lr": lr, **result.metrics(labels.task)}
    if compare and sampling.balance != "none" and len(of_valid.targets):
        plain, _ = trained(sampling.model_copy(update={"balance": "none"}), Silent())
        metrics["balance"] = balance_effect(
            head, plain, of_valid, labels.classes, Objective(labels.task)
        )
    sections: dict[str, Section] = {
        "train_head": params,
        "optimizer_head": optimizer,
        "sampling": sampling,
    }
    info = _trained(cached.manifest, activations.full_px, labels, head_params, sections)
    return Training(
        checkpoint=Checkpoint(info=info, tensors=named_tensors("head", head.state_dict())),
        epochs=result.table(),
        metrics=metrics,
    )


def _trained(
    manifest: Manifest,
    full_px: int,
    labels: Labels,
    head: HeadParams,
    sections: Mapping[str, Section],
) -> CheckpointInfo:
    """The info of a head that was trained on activations with this manifest."""
    return CheckpointInfo(
        kind="head",
        architecture=manifest.architecture,
        options=manifest.options,
        pool=manifest.pool,
        weights=manifest.weights,
        mean=manifest.mean,
        std=manifest.std,
        size_px=manifest.size_px,
        full_px=full_px,
        frame=manifest.frame,
        preprocessing=manifest.preprocessing,
        precision=manifest.precision,
        classes=labels.classes,
        task=labels.task,
        hidden_units=head.hidden_units,
        dropout=head.dropout,
        params={name: section.model_dump() for name, section in sections.items()},
        history=("train-head",),
    )
