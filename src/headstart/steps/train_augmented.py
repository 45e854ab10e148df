"""Continue the head on augmented views, with SGDR."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import torch
from pydantic import model_validator

from headstart.activations.stored import SizedActivations
from headstart.backbone.device import Compute
from headstart.backbone.sizes import px
from headstart.labels.labels import Labels
from headstart.network.checkpoints import Checkpoint, CheckpointError, Training, named_tensors
from headstart.network.head import restore_head
from headstart.project.report import Report
from headstart.training.cached_head import cached_material, head_trainer
from headstart.training.feature_source import FeatureSource, views_of_epochs
from headstart.training.optimizer import OptimizerParams
from headstart.training.phases import PhasesParams, head_phase, scheduled
from headstart.training.resume import FROM_THE_START, Resume
from headstart.training.sampling import SamplingParams, balanced

# All code that the stage declares: an edit of it makes the states of a broken-off run stale.
ROOMS = (
    "steps/train_augmented.py", "activations", "backbone", "kept", "labels", "network",
    "pictures", "project", "scores", "training",
)  # fmt: skip


class TrainAugmentedParams(PhasesParams):
    """Section `train_augmented`."""

    @model_validator(mode="after")
    def _head_alone(self) -> Self:
        for number, phase in enumerate(self.phases):
            if phase.trainable != "head":
                raise ValueError(
                    f"phases.{number}.trainable is {phase.trainable}, but only the head can "
                    "train on cached views; unfreeze_finetune trains the backbone"
                )
            if phase.lr == "auto":
                raise ValueError(
                    f"phases.{number}.lr is auto, but no range test trains this head alone: "
                    "find_lr_head starts from a fresh head, find_lr_finetune trains the whole "
                    "network; set a number, such as the rate of train_head"
                )
        return self

    def epochs_by_size(self, full_px: int) -> dict[int, list[int]]:
        """The epochs at each input size in px, counted from 0 over all phases.

        Raises:
            ValueError: a size is larger than `full_px`.
        """
        epochs: dict[int, list[int]] = {}
        n = 0
        for number, phase in enumerate(self.phases):
            size = px(phase.size_px, full_px, f"train_augmented.phases.{number}.size_px")
            epochs.setdefault(size, []).extend(range(n, n + phase.n_epochs()))
            n += phase.n_epochs()
        return epochs

    def repeated_views(self, n_views: int, full_px: int) -> list[str]:
        """A sentence for each size with more epochs than views, where epochs read views again.

        With as many views as epochs, no two epochs read the same view. Copies of an oversampled
        picture do not count here: they read views that other epochs read, too.

        Args:
            n_views: precompute_views.n_views.
            full_px: backbone.size_px.

        Raises:
            ValueError: a size is larger than `full_px`.
        """
        return [
            f"train_augmented.phases have {len(epochs)} epochs at {size} px, but "
            f"precompute_views.n_views is {n_views}: views repeat."
            for size, epochs in self.epochs_by_size(full_px).items()
            if len(epochs) > n_views
        ]


def train_augmented(
    views: SizedActivations,
    plain: SizedActivations,
    labels: Labels,
    start: Checkpoint,
    params: TrainAugmentedParams,
    optimizer: OptimizerParams,
    sampling: SamplingParams,
    compute: Compute,
    report: Report,
    resume: Resume = FROM_THE_START,
) -> Training:
    """Train on one view per epoch (`views_of_epochs`); score the plain view of valid at that size.

    With at least as many views as epochs, epoch e reads view e, the one that live augmentation
    would show.

    Args:
        views: activations of V views of train, at each cached size.
        plain: activations of the plain view, at each cached size; only valid is used.
        labels: splits and targets.
        start: the head that train-head wrote.
        params: phases and seed.
        optimizer: a fresh one is made for each phase.
        sampling: how rare classes are balanced; copy k of a picture reads the k-th next view.
        compute: device and precision.
        report: receives progress and epochs.
        resume: keeps states, for a run that is broken off.

    Raises:
        CheckpointError: the head belongs to another backbone or to other classes.
        ActivationsError: the size of a phase has no cached activations.
        DivergedError: the training diverged.
    """
    weights = views.first().manifest.weights
    if start.info.weights != weights or start.info.classes != labels.classes:
        raise CheckpointError("the head was trained on another backbone, or for other classes.")
    sizes = [
        views.at(phase.size_px, f"train_augmented.phases.{number}.size_px").manifest.size_px
        for number, phase in enumerate(params.phases)
    ]
    for sentence in params.repeated_views(len(views.first().features), views.full_px):
        warnings.warn(sentence, stacklevel=2)
    head = restore_head(start.part("head"), start.info.dropout)
    targets = labels.targets(labels.labelled("train"))
    balance = balanced(labels.task, targets, len(labels.classes), sampling)
    epochs = params.epochs_by_size(views.full_px)
    sources = _sources(views, plain, labels, epochs, compute.device)
    material = {
        size: cached_material(head, of_train, of_valid, balance[1])
        for size, (of_train, of_valid) in sources.items()
    }
    phases = [
        replace(
            scheduled(
                head_phase(head, float(phase.lr), optimizer, material[size]), phase, optimizer
            ),
            lr_key=f"train_augmented.phases.{number}.lr",
            remedy="Set a lower one, such as that of train_head.",
        )
        for number, (phase, size) in enumerate(zip(params.phases, sizes, strict=True))
    ]
    trainer = head_trainer(head, optimizer, balance, params.seed, compute.device, report, resume)
    result = trainer.fit(phases)
    shown = plain.by_size[sizes[-1]].manifest
    info = start.info.model_copy(
        update={
            "size_px": shown.size_px,
            "preprocessing": shown.preprocessing,
            "precision": shown.precision,
            "params": start.info.params
            | {"train_augmented": params.model_dump(), "sampling": sampling.model_dump()},
            "history": (*start.info.history, "train-augmented"),
        }
    )
    return Training(
        checkpoint=Checkpoint(info=info, tensors=named_tensors("head", head.state_dict())),
        epochs=result.table(),
        metrics=result.metrics(labels.task),
    )


def _sources(
    views: SizedActivations,
    plain: SizedActivations,
    labels: Labels,
    epochs: Mapping[int, Sequence[int]],
    device: torch.device,
) -> dict[int, tuple[FeatureSource, FeatureSource]]:
    """By size in px: views of train, one per epoch at this size; and the plain view of valid."""
    train, valid = labels.labelled("train"), labels.labelled("valid")
    of_train, of_valid = labels.targets(train), labels.targets(valid)
    sources = {}
    for size, of_size in epochs.items():
        cached = views.by_size[size]
        view_of = views_of_epochs(of_size, len(cached.features))
        sources[size] = (
            FeatureSource(cached.of(train), of_train, device, view_of),
            FeatureSource(plain.by_size[size].of(valid), of_valid, device),
        )
    return sources
