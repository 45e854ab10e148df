from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from headstart.activations.stored import Activations, ActivationsError, SizedActivations
from headstart.backbone.backbone import Backbone, tensors_digest
from headstart.backbone.device import PLAIN_CPU
from headstart.labels.labels import Labels
from headstart.network.checkpoints import Checkpoint, CheckpointError, Training, named_tensors
from headstart.project.report import Report, Silent
from headstart.steps.precompute_activations import precompute_activations
from headstart.steps.precompute_views import precompute_views
from headstart.steps.train_augmented import (
    TrainAugmentedParams,
    train_augmented,
)
from headstart.steps.train_head import train_head
from headstart.steps.unfreeze_finetune import UnfreezeFinetuneParams, unfreeze_finetune
from headstart.training.divergence import DivergedError
from headstart.training.lr_curve import Suggestion
from headstart.training.optimizer import OptimizerParams
from headstart.training.phases import FinetuneOptimizerParams
from headstart.training.resume import Resume
from headstart.training.sampling import SamplingParams
from tests.broken_off import assert_same_training, broken_off
from tests.broken_off import empty_folder as empty_folder
from tests.small_networks import SIZE, small_pictures
from tests.steps.conftest import AUGMENT, IDS, VIEWS, computed, frozen, sized
from tests.steps.test_train_head import AS_THEY_ARE, HEAD, NONE, PARAMS, SGD

PHASE = {
    "trainable": "head",
    "size_px": "full",
    "lr": 0.02,
    "cycles": 2,
    "cycle_len": 1,
    "cycle_mult": 1,
    "schedule": "sgdr",
    "warmup_frac": 0.05,
}
AUGMENTED = TrainAugmentedParams.model_validate({"phases": [PHASE], "seed": VIEWS.seed})


@pytest.fixture(scope="module")
def start(plain: SizedActivations, labels: Labels) -> Checkpoint:
    return train_head(
        plain, labels, PARAMS, HEAD, SGD, NONE, AS_THEY_ARE, PLAIN_CPU, Silent()
    ).checkpoint


LARGE = 40  # and SIZE is a smaller one
SIZES = [PHASE | {"size_px": SIZE, "cycles": 1}, PHASE | {"cycles": 1}]


def with_large(
    cached: SizedActivations, backbone: Backbone, ids: list[str], of_views: bool
) -> SizedActivations:
    """The cache, with the full size of LARGE beside it."""
    large = frozen(backbone, LARGE)
    computation = (
        precompute_views(large, ids, "digest", AUGMENT, VIEWS)
        if of_views
        else precompute_activations(large, ids, "digest")
    )
    return SizedActivations(LARGE, {SIZE: cached.first(), LARGE: computed(computation)})


@pytest.mark.parametrize("phases", [[PHASE], SIZES], ids=["one size", "two sizes"])
def test_epochs_from_cached_views_equal_live_ones(
    backbone: Backbone,
    views: SizedActivations,
    plain: SizedActivations,
    labels: Labels,
    start: Checkpoint,
    phases: list[dict[str, object]],
) -> None:
    """The whole point: the same order, dropout, rates and pictures give the same head."""
    cached = train_augmented(
        with_large(views, backbone, labels.ids("train"), of_views=True),
        with_large(plain, backbone, IDS, of_views=False),
        labels,
        start,
        TrainAugmentedParams.model_validate({"phases": phases, "seed": VIEWS.seed}),
        SGD,
        AS_THEY_ARE,
        PLAIN_CPU,
        Silent(),
    )
    live = unfreeze_finetune(
        backbone,
        start,
        small_pictures(LARGE),
        labels,
        AUGMENT,
        UnfreezeFinetuneParams.model_validate(
            {
                "phases": phases,
                "seed": VIEWS.seed,
                "monitor": "log_loss",
                "stop_when_worse": False,
                "keep": "last",
                "n_snapshots": 0,
            }
        ),
        FinetuneOptimizerParams(
            **SGD.model_dump(),
            n_accumulate=1,
            n_groups=3,
            lr_ratio=3.0,
            decay_ratio=1.0,
            dropout=HEAD.dropout,
            bn_freeze="none",
            bn_momentum="own",
        ),
        AS_THEY_ARE,
        Suggestion(None, ""),
        Silent(),
    ).training
    one, two = cached.checkpoint.part("head"), live.checkpoint.part("head")
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(cached.epochs["train_loss"], live.epochs["train_loss"], rtol=1e-4)
    np.testing.assert_allclose(cached.epochs["valid_loss"], live.epochs["valid_loss"], rtol=1e-4)
    assert cached.checkpoint.info.size_px == live.checkpoint.info.size_px == LARGE
    # batch norms and weights of the frozen backbone did not move
    assert tensors_digest(live.checkpoint.part("backbone")) == plain.first().manifest.weights


def test_a_size_that_is_not_cached_is_named(
    views: SizedActivations, plain: SizedActivations, labels: Labels, start: Checkpoint
) -> None:
    smaller = TrainAugmentedParams.model_validate({"phases": [PHASE | {"size_px": 48}], "seed": 0})
    bigger = smaller.model_copy(
        update={"phases": (smaller.phases[0].model_copy(update={"size_px": 64}),)}
    )
    run = partial(train_augmented, replace(views, full_px=50), plain, labels, start)
    with pytest.raises(ActivationsError, match=r"phases\.0\.size_px is 48, .* not cached"):
        run(smaller, SGD, AS_THEY_ARE, PLAIN_CPU, Silent())
    with pytest.raises(ValueError, match=r"size_px is 64: it must be at most backbone.size_px"):
        run(bigger, SGD, AS_THEY_ARE, PLAIN_CPU, Silent())


def test_it_continues_the_head(
    views: SizedActivations, plain: SizedActivations, labels: Labels, start: Checkpoint
) -> None:
    training = train_augmented(
        views, plain, labels, start, AUGMENTED, SGD, AS_THEY_ARE, PLAIN_CPU, Silent()
    )
    assert training.checkpoint.info.history == ("train-head", "train-augmented")
    assert {"train_head", "train_augmented"} < set(training.checkpoint.info.params)
    moved = (training.checkpoint.tensors["head.2.weight"] - start.tensors["head.2.weight"]).abs()
    assert 0 < moved.max() < 0.5


def test_fewer_views_than_epochs_is_a_warning_that_names_both_keys(
    views: SizedActivations, plain: SizedActivations, labels: Labels, start: Checkpoint
) -> None:
    longer = TrainAugmentedParams.model_validate({"phases": [PHASE | {"cycles": 3}], "seed": 0})
    keys = r"train_augmented\.phases have 3 epochs at 32 px, but precompute_views\.n_views is 2"
    with pytest.warns(UserWarning, match=keys):
        train_augmented(views, plain, labels, start, longer, SGD, AS_THEY_ARE, PLAIN_CPU, Silent())


def test_epochs_of_one_size_read_all_its_views_though_another_size_lies_between(
    backbone: Backbone,
    views: SizedActivations,
    plain: SizedActivations,
    labels: Labels,
    start: Checkpoint,
) -> None:
    """Small, large, small with two views: epochs 0 and 2 are the small ones, and 2 modulo 2 is 0."""
    small, large = SIZES
    params = TrainAugmentedParams.model_validate({"phases": [small, large, small], "seed": 0})
    of_large = with_large(plain, backbone, IDS, of_views=False)

    def trained(of_small: Activations) -> torch.Tensor:
        both = with_large(sized(of_small), backbone, labels.ids("train"), of_views=True)
        training = train_augmented(
            both, of_large, labels, start, params, SGD, AS_THEY_ARE, PLAIN_CPU, Silent()
        )
        return training.checkpoint.tensors["head.2.weight"]

    of = views.first()
    repeated = Activations(of.features[[0, 0]], of.ids, of.manifest)
    assert not torch.equal(trained(of), trained(repeated))


def test_who_checks_params_learns_of_repeated_views_by_size() -> None:
    phases = [PHASE | {"size_px": 64, "cycles": 3}, PHASE, PHASE | {"size_px": 64, "cycles": 3}]
    params = TrainAugmentedParams.model_validate({"phases": phases, "seed": 0})
    assert params.repeated_views(n_views=6, full_px=128) == []
    assert params.repeated_views(n_views=5, full_px=128) == [
        "train_augmented.phases have 6 epochs at 64 px, but precompute_views.n_views is 5: views "
        "repeat."
    ]
    assert len(params.repeated_views(n_views=1, full_px=128)) == 2
    [of_one_size] = params.repeated_views(n_views=6, full_px=64)
    assert "8 epochs at 64 px" in of_one_size


def test_a_head_of_another_backbone_or_of_other_classes_is_refused(
    views: SizedActivations, plain: SizedActivations, labels: Labels, start: Checkpoint
) -> None:
    run = partial(train_augmented, views, plain, labels)
    for update in ({"weights": "0" * 64}, {"classes": ("x", "y", "z")}):
        other = start.model_copy(update={"info": start.info.model_copy(update=update)})
        with pytest.raises(CheckpointError, match="another backbone, or for other classes"):
            run(other, AUGMENTED, SGD, AS_THEY_ARE, PLAIN_CPU, Silent())


def test_the_phase_whose_rate_is_far_too_high_is_named(
    views: SizedActivations, plain: SizedActivations, labels: Labels, start: Checkpoint
) -> None:
    steep = TrainAugmentedParams.model_validate(
        {"phases": [PHASE | {"cycles": 1}, PHASE | {"lr": 1e30, "cycles": 1}], "seed": 0}
    )
    sentence = r"of epoch 2, where train_augmented\.phases\.1\.lr is 1e\+30\. .* train_head"
    with pytest.raises(DivergedError, match=sentence):
        train_augmented(views, plain, labels, start, steep, SGD, AS_THEY_ARE, PLAIN_CPU, Silent())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trainable": "all"}, "phases.0.trainable is all"),
        ({"lr": "auto"}, "phases.0.lr is auto"),
        ({"lr": -1.0}, "greater than 0"),
    ],
)
def test_phases_that_views_cannot_train(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        TrainAugmentedParams.model_validate({"phases": [PHASE | change], "seed": 0})


def test_optimizers_are_strict() -> None:
    with pytest.raises(ValidationError, match="batch_size"):
        OptimizerParams(name="sgd", momentum=0.9, weight_decay=0.0, clip_norm=0.0, batch_size=1)
    assert named_tensors("head", {"a": torch.ones(1)}).keys() == {"head.a"}


def test_copies_read_their_own_views(
    views: SizedActivations, plain: SizedActivations, labels: Labels, start: Checkpoint
) -> None:
    """With one view repeated, copies cannot differ; with two, they do."""
    copied = SamplingParams(balance="oversample", strength=1.0, max_factor=10.0)

    def trained(cached: SizedActivations, sampling: SamplingParams) -> torch.Tensor:
        training = train_augmented(
            cached, plain, labels, start, AUGMENTED, SGD, sampling, PLAIN_CPU, Silent()
        )
        return training.checkpoint.tensors["head.2.weight"]

    of = views.first()
    repeated = sized(Activations(of.features[[0, 0]], of.ids, of.manifest))
    one, two = trained(repeated, copied), trained(views, copied)
    assert not torch.equal(one, two)
    assert not torch.equal(two, trained(views, AS_THEY_ARE))
    assert torch.equal(two, trained(views, copied))


@pytest.mark.usefixtures("empty_folder")
def test_a_run_that_was_broken_off_ends_with_the_same_bits(
    views: SizedActivations, plain: SizedActivations, labels: Labels, start: Checkpoint
) -> None:
    def run(report: Report, resume: Resume) -> Training:
        return train_augmented(
            views, plain, labels, start, AUGMENTED, SGD, AS_THEY_ARE, PLAIN_CPU, report, resume
        )

    gone_on, stage, _ = broken_off(run, [3, 2])
    assert_same_training(gone_on, broken_off(run, [])[0])
    assert stage.said == ["at step 2 of 4 of epoch 2 of 2"]
