"""Unfreeze and fine-tune the network with differential rates and SGDR."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from headstart.backbone.backbone import Backbone
from headstart.backbone.device import Compute
from headstart.backbone.sizes import px
from headstart.backbone.teams import Teams
from headstart.labels.labels import Labels
from headstart.network.checkpoints import Checkpoint, CheckpointInfo, Training
from headstart.network.network import Network, join
from headstart.network.objective import Scores
from headstart.project.report import Report
from headstart.project.section import Section
from headstart.training.batch_norm import has_batch_norm, require_shared_norms
from headstart.training.chosen import chosen_scores
from headstart.training.fit import Trainer
from headstart.training.gradients import gradient_cosine, require_right_gradients
from headstart.training.layer_groups import first_group
from headstart.training.lr_curve import Suggestion
from headstart.training.material import Material, Phase
from headstart.training.parts import Split
from headstart.training.phases import (
    FinetuneOptimizerParams,
    PhaseParams,
    PhasesParams,
    lower,
    network_phase,
    rate,
    set_mode,
)
from headstart.training.picture_source import PictureSource
from headstart.training.ranks import ALONE, Ranks
from headstart.training.resume import FROM_THE_START, Resume, SharedResume
from headstart.training.sampling import SamplingParams, balanced
from headstart.training.stop_rule import StopRule
from headstart.views.augment import AugmentParams
from headstart.views.inference import id_batches, network_logits
from headstart.views.pictures import Pictures

# All code that the stage declares: an edit of it makes the states of a broken-off run stale.
ROOMS = (
    "steps/unfreeze_finetune.py", "backbone", "kept", "labels", "network", "pictures",
    "project", "scores", "training", "views",
)  # fmt: skip


class UnfreezeFinetuneParams(PhasesParams):
    """Section `unfreeze_finetune`."""

    monitor: Literal["log_loss", "score", "both"] = Field(
        description="measure on valid that is compared at the end of each cycle: log_loss, score "
        "(accuracy; for multi_label, F2), or both: a lower log_loss counts if the score is not "
        "lower, a higher score counts in any case if it is beyond noise"
    )
    stop_when_worse: bool = Field(
        description="end a phase when a cycle ends worse than an earlier cycle at the same size_px, "
        "that is, train until over-fitting; where monitor is both, also end after the first cycle "
        "if the network is then worse than the head, beyond noise"
    )
    keep: Literal["best", "last"] = Field(
        description="best: the weights at the best cycle end, or at the start if no cycle end is "
        "better; last: those at the last cycle end"
    )
    n_snapshots: int = Field(
        ge=0,
        le=1000,
        description="snapshots to keep, taken at the last n cycle ends of the last phase, for "
        "predict_views.snapshots, 0 to 1,000; 0: none",
    )


class NoBatchNormWarning(UserWarning):
    """Params of batch norms are set, but the backbone has none."""


class Finetuning(NamedTuple):
    """The kept network, and the ensemble of snapshots (without tensors if n_snapshots is 0)."""

    training: Training
    snapshots: Checkpoint


def unfreeze_finetune(
    backbone: Backbone,
    start: Checkpoint,
    pictures: Pictures,
    labels: Labels,
    augment: AugmentParams,
    params: UnfreezeFinetuneParams,
    optimizer: FinetuneOptimizerParams,
    sampling: SamplingParams,
    suggestion: Suggestion,
    report: Report,
    resume: Resume = FROM_THE_START,
    ranks: Ranks = ALONE,
) -> Finetuning:
    """Train `backbone` and the head of `start` on live augmented pictures; epoch e shows view e.

    Args:
        backbone: the frozen original, which is trained in place.
        start: the head that train-augmented wrote.
        pictures: pictures of all splits at the full size; a phase uses its own size.
        labels: splits and targets.
        augment: how views differ.
        params: phases, seed, and when to stop.
        optimizer: kind, batch size, ratio of the rates, batch norms.
        sampling: how rare classes are balanced; each copy of a picture is its own view.
        suggestion: rate of find-lr-finetune, for `lr: auto` in the first phase.
        report: receives progress and epochs.
        resume: keeps states, for a run that is broken off.
        ranks: the processes that train together; all get the same result.

    Raises:
        LostProcessError: another of the processes has ended.
        HeadstartError: norms that train cannot be shared by the processes, or a batch has too few
            pictures for them.
        ValueError: `lr` is auto without a suggestion, the head belongs to another backbone, or the
            size of a phase is larger than that of `pictures`.
        DivergedError: the training diverged.
        PrecisionError: the training precision is reduced and its gradients are wrong.
    """
    first = rate(params.phases[0].lr, suggestion, "unfreeze_finetune.phases.0.lr")
    rates = [first, *(float(phase.lr) for phase in params.phases[1:])]
    _tell_of_absent_norms(backbone, optimizer)
    require_shared_norms(optimizer.bn_freeze, ranks, backbone.compute.device)
    network = join(backbone, start.info.weights, start.part("head"), optimizer.dropout)
    train, valid = labels.labelled("train"), labels.labelled("valid")
    targets = labels.targets(train)
    sampler, objective = balanced(labels.task, targets, len(labels.classes), sampling)

    def material(size_px: int) -> Material:
        sized = ranks.first_then_others(lambda: pictures.at(size_px, report))
        batches = id_batches(valid, sized.device)

        def evaluate() -> Scores:
            logits = ranks.rows(partial(network_logits, network, sized), batches)
            return objective.scores(logits, labels.targets(valid))

        source = PictureSource(sized, train, targets, augment, params.seed)
        return Material(source, evaluate if valid else None)

    sizes = [
        px(phase.size_px, pictures.size_px, f"unfreeze_finetune.phases.{number}.size_px")
        for number, phase in enumerate(params.phases)
    ]
    by_size = {size: material(size) for size in dict.fromkeys((start.info.size_px, *sizes))}
    trainer = Trainer(
        network, sampler, optimizer, objective, params.seed, report, SharedResume(resume, ranks),
        Split(optimizer.n_accumulate, ranks, Teams.of(backbone.compute.device)),
    )  # fmt: skip
    phases = [
        replace(
            network_phase(network, phase, optimizer, lr, by_size[size]),
            lr_key=f"unfreeze_finetune.phases.{number}.lr",
            remedy=lower(lr, suggestion),
        )
        for number, (phase, lr, size) in enumerate(zip(params.phases, rates, sizes, strict=True))
    ]
    if backbone.compute.training_dtype != torch.float32:
        kinds = {phase.trainable: number for number, phase in reversed([*enumerate(params.phases)])}
        for number in sorted(kinds.values()):  # the first phase that trains these layers
            _require_right_gradients(
                trainer, network, phases[number], params.phases[number], optimizer
            )
    rule = StopRule(params.monitor, params.stop_when_worse, params.keep)
    result = trainer.fit(
        phases, rule, start=by_size[start.info.size_px], n_snapshots=params.n_snapshots
    )
    groups = labels.table.set_index("id")["group"].loc[valid].tolist()
    choice = chosen_scores(result, rule, groups, labels.task)
    kept_px = start.info.size_px if result.kept_phase is None else sizes[result.kept_phase]
    sections: dict[str, Section] = {
        "unfreeze_finetune": params,
        "optimizer_finetune": optimizer,
        "augment": augment,
        "sampling": sampling,
    }
    shown = pictures.at(kept_px, report)
    info = _trained(start.info, shown, optimizer.dropout, backbone.compute, sections)
    training = Training(
        checkpoint=Checkpoint(info=info, tensors=_network_tensors(network.state_dict())),
        epochs=result.table(),
        metrics={
            "lr": first,
            "kept_epoch": result.kept_epoch,
            "kept_size_px": kept_px,
            "overfitted": result.stopped,
            **result.comparison(labels.task, rule),
            **({"choice": choice} if choice else {}),
            **result.metrics(labels.task),
        },
    )
    last = shown if result.snapshot_is_kept else pictures.at(sizes[-1], report)
    return Finetuning(training, _ensemble(info, result.snapshots, last))


def _tell_of_absent_norms(backbone: Backbone, optimizer: FinetuneOptimizerParams) -> None:
    """Warn where params of batch norms are set, but only the head has such norms."""
    idle = optimizer.about_norms()
    if idle and not has_batch_norm(backbone):
        warnings.warn(
            f"backbone.name is {backbone.architecture!r}, which has no batch norm: "
            f"optimizer_finetune.{' and '.join(idle)} can act on the head's norms only.",
            NoBatchNormWarning,
            stacklevel=3,
        )


def _require_right_gradients(
    trainer: Trainer,
    network: Network,
    phase: Phase,
    params: PhaseParams,
    optimizer: FinetuneOptimizerParams,
) -> None:
    """Check the gradients of the first part of a phase's first batch.

    Raises:
        PrecisionError: they are wrong.
    """
    compute, first = network.backbone.compute, first_group(params.trainable, optimizer.n_groups)
    part = next(next(trainer.batches(phase.material.source, epoch=0)))
    cosine = gradient_cosine(
        network,
        lambda copy: set_mode(copy, first, optimizer),
        (part.inputs, part.targets),
        trainer.objective.loss,
        compute,
    )
    require_right_gradients(cosine, compute)


def _trained(
    start: CheckpointInfo,
    pictures: Pictures,
    dropout: tuple[float, float],
    compute: Compute,
    sections: Mapping[str, Section],
) -> CheckpointInfo:
    """The info of a network trained from `start`, which predicts at the size of `pictures`."""
    params = {name: section.model_dump(mode="json") for name, section in sections.items()}
    runtime = compute.describe()  # device and precisions that were used
    return start.model_copy(
        update={
            "kind": "network",
            "size_px": pictures.size_px,
            "preprocessing": pictures.preprocessing,
            "precision": compute.inference_precision,
            "dropout": dropout,
            "params": start.params | params | {"runtime": runtime},
            "history": (*start.history, "unfreeze-finetune"),
        }
    )


def _ensemble(
    info: CheckpointInfo, states: Sequence[Mapping[str, Tensor]], pictures: Pictures
) -> Checkpoint:
    """One checkpoint of the networks with these states, which predicts at the size of `pictures`."""
    shown = {"size_px": pictures.size_px, "preprocessing": pictures.preprocessing}
    tensors = {
        f"{number}.{name}": tensor
        for number, state in enumerate(states)
        for name, tensor in _network_tensors(state).items()
    }
    return Checkpoint(info=info.model_copy(update={"kind": "ensemble", **shown}), tensors=tensors)


def _network_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a Network as the tensors of a checkpoint: `backbone.*` and `head.*`."""
    plain = {name.replace("backbone.model.", "backbone.", 1): t for name, t in state.items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in plain.items()}
