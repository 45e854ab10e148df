"""Rules whose breach is a warning: the file can run, but may not be what was meant."""

from collections.abc import Iterator

from headstart.backbone.backbone import BackboneParams
from headstart.checks.rules import Rule, input_px
from headstart.indexing.params import IndexImagesParams
from headstart.steps.confusion_report import ConfusionReportParams
from headstart.steps.find_lr_finetune import FindLrFinetuneParams
from headstart.steps.precompute_views import PrecomputeViewsParams
from headstart.steps.train_augmented import TrainAugmentedParams
from headstart.steps.unfreeze_finetune import UnfreezeFinetuneParams


def _views_repeat(
    backbone: BackboneParams,
    precompute_views: PrecomputeViewsParams,
    train_augmented: TrainAugmentedParams,
) -> Iterator[str]:
    yield from train_augmented.repeated_views(precompute_views.n_views, backbone.size_px)


def _size_of_the_test(
    backbone: BackboneParams,
    unfreeze_finetune: UnfreezeFinetuneParams,
    find_lr_finetune: FindLrFinetuneParams,
) -> Iterator[str]:
    first, test = unfreeze_finetune.phases[0], find_lr_finetune
    differs = input_px(test.size_px, backbone) != input_px(first.size_px, backbone)
    if first.lr != "auto" and test.n_iter and differs:
        yield (
            f"find_lr_finetune.size_px is {test.size_px}, but unfreeze_finetune.phases.0.size_px is "
            f"{first.size_px}: the range test runs at another input size than the training."
        )


def _empty_report(
    index_images: IndexImagesParams, confusion_report: ConfusionReportParams
) -> Iterator[str]:
    if index_images.split == "given":
        return
    if confusion_report.split == "test" and not index_images.test_frac:
        yield (
            "confusion_report.split is test, but index_images.test_frac is 0: the report will be empty."
        )
    if confusion_report.split == "valid" and not (index_images.valid_frac or index_images.n_folds):
        yield (
            "confusion_report.split is valid, but index_images.valid_frac and index_images.n_folds "
            "are 0: the report will be empty."
        )


WARNINGS: tuple[Rule, ...] = (_views_repeat, _size_of_the_test, _empty_report)
