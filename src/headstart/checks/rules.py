"""Rules across sections of params.yaml; each rule is a function of the sections that it reads.

Where a step would refuse the same values, the rule calls the step's own function, so both agree.
"""

from collections.abc import Callable, Iterator, Mapping
from inspect import signature

from headstart.backbone.backbone import BackboneParams
from headstart.backbone.sizes import Size, px
from headstart.indexing.params import IndexImagesParams
from headstart.project.section import Section
from headstart.steps.find_lr_finetune import FindLrFinetuneParams
from headstart.steps.find_lr_head import FindLrHeadParams
from headstart.steps.predict_views import PredictViewsParams
from headstart.steps.resize import ResizeParams
from headstart.steps.train_augmented import TrainAugmentedParams
from headstart.steps.train_head import TrainHeadParams
from headstart.steps.tta_evaluate import TtaEvaluateParams
from headstart.steps.unfreeze_finetune import UnfreezeFinetuneParams
from headstart.training.layer_groups import first_group
from headstart.training.lr_curve import LrCurve, RangeTestParams, suggest
from headstart.training.optimizer import OptimizerParams
from headstart.training.phases import FinetuneOptimizerParams, PhasesParams, Rate, rate
from headstart.views.augment import AugmentParams

Rule = Callable[..., Iterator[str]]


def broken(rules: tuple[Rule, ...], sections: Mapping[str, Section]) -> Iterator[str]:
    """A sentence for each breach of a rule; a rule is skipped if it lacks one of its sections."""
    for rule in rules:
        names = signature(rule).parameters
        if all(name in sections for name in names):
            yield from rule(**{name: sections[name] for name in names})


def _sizes_of_phases(
    backbone: BackboneParams,
    find_lr_finetune: FindLrFinetuneParams,
    train_augmented: TrainAugmentedParams,
    unfreeze_finetune: UnfreezeFinetuneParams,
) -> Iterator[str]:
    sizes = {"find_lr_finetune.size_px": find_lr_finetune.size_px}
    phases = {"train_augmented": train_augmented, "unfreeze_finetune": unfreeze_finetune}
    for name, section in phases.items():
        for number, phase in enumerate(section.phases):
            sizes[f"{name}.phases.{number}.size_px"] = phase.size_px
    for key, size in sizes.items():
        try:
            size_px = px(size, backbone.size_px, key)
        except ValueError as error:
            yield str(error)
            continue
        if key.startswith("train_augmented") and size_px not in backbone.cached_sizes():
            cached = ", ".join(map(str, backbone.cached_sizes()))
            yield (
                f"{key} is {size}, but activations of this size are not cached: backbone.cached_px "
                f"stands for {cached} px; add the size there."
            )


def input_px(size: Size, backbone: BackboneParams) -> int:
    """The side of the network input that `size` stands for."""
    return backbone.size_px if size == "full" else size


def _stored_size(resize: ResizeParams, backbone: BackboneParams) -> Iterator[str]:
    if resize.size_px < backbone.size_px:
        yield (
            f"resize.size_px is {resize.size_px}, but must be at least backbone.size_px "
            f"({backbone.size_px}): otherwise pictures are stored small and enlarged again."
        )


def _shift(augment: AugmentParams, backbone: BackboneParams) -> Iterator[str]:
    if augment.shift_px >= backbone.size_px:
        yield (
            f"augment.shift_px is {augment.shift_px}, but must be below backbone.size_px "
            f"({backbone.size_px}): otherwise a view would show only mirrored borders."
        )


def _momenta_of_the_head(
    train_augmented: TrainAugmentedParams, optimizer_head: OptimizerParams
) -> Iterator[str]:
    yield from _momenta("train_augmented", train_augmented, optimizer_head)


def _momenta_of_the_network(
    unfreeze_finetune: UnfreezeFinetuneParams, optimizer_finetune: FinetuneOptimizerParams
) -> Iterator[str]:
    yield from _momenta("unfreeze_finetune", unfreeze_finetune, optimizer_finetune)


def _momenta(name: str, section: PhasesParams, optimizer: OptimizerParams) -> Iterator[str]:
    for number, phase in enumerate(section.phases):
        try:
            phase.steps(1, optimizer.momentum)
        except ValueError as error:
            yield f"{name}.phases.{number}.{error}"


def _late_layers(
    unfreeze_finetune: UnfreezeFinetuneParams, optimizer_finetune: FinetuneOptimizerParams
) -> Iterator[str]:
    for number, phase in enumerate(unfreeze_finetune.phases):
        try:
            first_group(phase.trainable, optimizer_finetune.n_groups)
        except ValueError as error:
            yield f"unfreeze_finetune.phases.{number}.{error}"


def _snapshots(
    predict_views: PredictViewsParams, unfreeze_finetune: UnfreezeFinetuneParams
) -> Iterator[str]:
    if predict_views.snapshots and not unfreeze_finetune.n_snapshots:
        yield (
            "predict_views.snapshots is true, but unfreeze_finetune.n_snapshots is 0, so no "
            "snapshot exists: set n_snapshots to at least 1."
        )


def _rate_of_the_head(train_head: TrainHeadParams, find_lr_head: FindLrHeadParams) -> Iterator[str]:
    yield from _suggested("train_head.lr", train_head.lr, find_lr_head)


def _rate_of_the_network(
    backbone: BackboneParams,
    unfreeze_finetune: UnfreezeFinetuneParams,
    find_lr_finetune: FindLrFinetuneParams,
) -> Iterator[str]:
    first, test = unfreeze_finetune.phases[0], find_lr_finetune
    yield from _suggested("unfreeze_finetune.phases.0.lr", first.lr, test)
    if first.lr == "auto" and input_px(test.size_px, backbone) != input_px(first.size_px, backbone):
        yield (
            f"find_lr_finetune.size_px is {test.size_px}, but must be equal to "
            f"unfreeze_finetune.phases.0.size_px ({first.size_px}), because that phase's lr is auto."
        )


def _suggested(key: str, lr: Rate, test: RangeTestParams) -> Iterator[str]:
    """An error if `lr` is auto, but the test has too few steps to suggest a rate.

    The curve tried here is a loss that falls at once.
    """
    n = test.n_iter
    losses = [2.0 if i < n / 2 else 1.0 for i in range(n)]
    try:
        rate(lr, suggest(LrCurve(test.lrs(), losses, losses, test.smoothing), test.rule), key)
    except ValueError as error:
        yield str(error)


def _costs_of_one_class(
    index_images: IndexImagesParams, tta_evaluate: TtaEvaluateParams
) -> Iterator[str]:
    if tta_evaluate.costs is not None and index_images.task == "multi_label":
        yield (
            "tta_evaluate.costs is set, but index_images.task is multi_label, whose pictures have any "
            "number of labels: set tta_evaluate.costs to null."
        )


ERRORS: tuple[Rule, ...] = (
    _sizes_of_phases,
    _stored_size,
    _shift,
    _momenta_of_the_head,
    _momenta_of_the_network,
    _late_layers,
    _snapshots,
    _rate_of_the_head,
    _rate_of_the_network,
    _costs_of_one_class,
)
"""Rules whose breach is an error: the file cannot run, or could only be a mistake."""
