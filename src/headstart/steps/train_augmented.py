"""Continue the head on augmented views, with SGDR."""

import warnings
from typing import Self

from pydantic import model_validator

from headstart.core.report import Report
from headstart.core.sampling import SamplingParams
from headstart.learn.cached_head import head_trainer
from headstart.learn.device import Compute
from headstart.learn.head import restore_head
from headstart.learn.loop import OptimizerParams
from headstart.learn.objective import balanced
from headstart.learn.phases import PhasesParams, head_phase, with_cycles
from headstart.learn.sources import FeatureSource
from headstart.store.activations import Activations
from headstart.store.checkpoints import Checkpoint, CheckpointError, Training, named_tensors
from headstart.store.index import Labels


class TrainAugmentedParams(PhasesParams):
    """Section `train_augmented`."""

    @model_validator(mode="after")
    def _head_alone(self) -> Self:
        for number, phase in enumerate(self.phases):
            if phase.trainable != "head":
                raise ValueError(
                    f"phases.{number}.trainable is {phase.trainable}, but cached views can train "
                    "the head alone; unfreeze_finetune trains the rest"
                )
            if phase.lr == "auto":
                raise ValueError(
                    f"phases.{number}.lr is auto, but the range tests start from a fresh head and "
                    "from the whole network; set a number, such as the rate of train_head"
                )
        return self


def train_augmented(
    views: Activations,
    plain: Activations,
    labels: Labels,
    start: Checkpoint,
    params: TrainAugmentedParams,
    optimizer: OptimizerParams,
    sampling: SamplingParams,
    compute: Compute,
    report: Report,
) -> Training:
    """Epoch e trains on view e modulo V; the valid split is scored on its plain view.

    Args:
        views: V views of the train split.
        plain: plain activations, of which those of the valid split are used.
        labels: splits and targets.
        start: the head that train-head wrote.
        params: phases and seed.
        optimizer: a fresh one is made for each phase.
        sampling: what is done about rare classes; copy k of a picture reads the k-th next view.
        compute: device and precision.
        report: listens.

    Raises:
        CheckpointError: the head belongs to another backbone or to other classes.
    """
    if start.info.weights != views.manifest.weights or start.info.classes != labels.classes:
        raise CheckpointError("the head was trained on another backbone, or for other classes.")
    n_views, n_epochs = len(views.features), sum(phase.n_epochs() for phase in params.phases)
    if n_views < n_epochs:
        warnings.warn(
            f"train_augmented.phases have {n_epochs} epochs, but precompute_views.n_views is "
            f"{n_views}: epoch e reads view e modulo {n_views}, so views repeat.",
            stacklevel=2,
        )
    train, valid = labels.labelled("train"), labels.labelled("valid")
    head = restore_head(start.part("head"), start.info.dropout)
    of_train, of_valid = (
        FeatureSource(cached.of(ids), labels.targets(ids), compute.device)
        for cached, ids in ((views, train), (plain, valid))
    )
    balance = balanced(labels.task, of_train.targets, len(labels.classes), sampling)
    trainer = head_trainer(head, of_train, of_valid, optimizer, balance, params.seed, report)
    result = trainer.fit(
        [with_cycles(head_phase(head, float(phase.lr)), phase) for phase in params.phases]
    )
    info = start.info.model_copy(
        update={
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
