import pytest

from headstart.activations.stored import SizedActivations
from headstart.backbone.backbone import Backbone, tensors_digest
from headstart.backbone.device import PLAIN_CPU
from headstart.labels.labels import Labels
from headstart.project.report import Report, Silent
from headstart.steps.find_lr_finetune import FindLrFinetuneParams, find_lr_finetune
from headstart.steps.train_head import train_head
from headstart.training.lr_curve import LrCurve
from headstart.training.resume import Resume
from tests.broken_off import broken_off
from tests.broken_off import empty_folder as empty_folder
from tests.small_networks import small_backbone, small_pictures
from tests.steps.conftest import AUGMENT
from tests.steps.test_train_head import AS_THEY_ARE, HEAD, NONE, PARAMS, SGD
from tests.steps.test_unfreeze_finetune import OPTIMIZER

RANGE = FindLrFinetuneParams(
    size_px="full", n_iter=12, lr_start=1e-5, lr_end=1.0, smoothing=0.5, rule="steepest", seed=0
)


def test_the_curve_repeats_and_leaves_the_network_alone(
    plain: SizedActivations, labels: Labels
) -> None:
    head = train_head(plain, labels, PARAMS, HEAD, SGD, NONE, AS_THEY_ARE, PLAIN_CPU, Silent())
    start = head.checkpoint
    backbone = small_backbone()
    curves = [
        find_lr_finetune(
            backbone,
            start,
            small_pictures(),
            labels,
            AUGMENT,
            RANGE,
            OPTIMIZER,
            AS_THEY_ARE,
            Silent(),
        )
        for _ in range(2)
    ]
    assert curves[0] == curves[1] and len(curves[0].lrs) == 12
    assert tensors_digest(backbone.model.state_dict()) == plain.first().manifest.weights


def test_a_head_of_another_backbone_is_refused(
    backbone: Backbone, plain: SizedActivations, labels: Labels
) -> None:
    head = train_head(plain, labels, PARAMS, HEAD, SGD, NONE, AS_THEY_ARE, PLAIN_CPU, Silent())
    start = head.checkpoint
    other = start.model_copy(update={"info": start.info.model_copy(update={"weights": "0" * 64})})
    with pytest.raises(ValueError, match="digest 000000000000, but the backbone file"):
        find_lr_finetune(
            backbone,
            other,
            small_pictures(),
            labels,
            AUGMENT,
            RANGE,
            OPTIMIZER,
            AS_THEY_ARE,
            Silent(),
        )


def test_activations_that_are_computed_again_give_the_same_curve(
    plain: SizedActivations, labels: Labels
) -> None:
    head = train_head(plain, labels, PARAMS, HEAD, SGD, NONE, AS_THEY_ARE, PLAIN_CPU, Silent())
    free = OPTIMIZER.model_copy(update={"bn_freeze": "none", "dropout": (0.25, 0.5)})
    usual, checkpointed = (
        find_lr_finetune(
            small_backbone(), head.checkpoint, small_pictures(), labels, AUGMENT, RANGE,
            free.model_copy(update={"checkpoint_activations": checkpoints}), AS_THEY_ARE, Silent(),
        )
        for checkpoints in (False, True)
    )  # fmt: skip
    assert usual == checkpointed


@pytest.mark.usefixtures("empty_folder")
def test_a_run_that_was_broken_off_ends_with_the_same_curve(
    plain: SizedActivations, labels: Labels
) -> None:
    head = train_head(plain, labels, PARAMS, HEAD, SGD, NONE, AS_THEY_ARE, PLAIN_CPU, Silent())
    free = OPTIMIZER.model_copy(
        update={"bn_freeze": "none", "dropout": (0.25, 0.5), "n_accumulate": 2}
    )

    def run(report: Report, resume: Resume) -> LrCurve:
        return find_lr_finetune(
            small_backbone(), head.checkpoint, small_pictures(), labels, AUGMENT, RANGE, free,
            AS_THEY_ARE, report, resume,
        )  # fmt: skip

    gone_on, stage, _ = broken_off(run, [3, 2])
    assert gone_on == broken_off(run, [])[0]
    assert stage.said == ["at rate 6 of 12"]
