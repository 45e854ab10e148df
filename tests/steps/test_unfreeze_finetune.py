from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from headstart.activations.stored import SizedActivations
from headstart.backbone.device import PLAIN_CPU
from headstart.labels.labels import Labels
from headstart.network.checkpoints import Checkpoint, CheckpointError, Training
from headstart.network.network import Network
from headstart.prediction.predictor import Predictor, Trained
from headstart.project.report import Report, Silent
from headstart.steps.train_head import train_head
from headstart.steps.unfreeze_finetune import (
    Finetuning,
    NoBatchNormWarning,
    UnfreezeFinetuneParams,
    unfreeze_finetune,
)
from headstart.training.divergence import DivergedError
from headstart.training.gradients import PrecisionError
from headstart.training.layer_groups import parameter_groups
from headstart.training.lr_curve import Suggestion
from headstart.training.phases import FinetuneOptimizerParams
from headstart.training.resume import Resume
from tests.broken_off import assert_same_training, bits, broken_off
from tests.broken_off import empty_folder as empty_folder
from tests.small_networks import SIZE, small_backbone, small_network, small_pictures
from tests.steps.conftest import AUGMENT, make_labels
from tests.steps.test_train_head import AS_THEY_ARE, HEAD, NONE, PARAMS, SGD

OPTIMIZER = FinetuneOptimizerParams(
    name="adamw",
    momentum=0.9,
    weight_decay=0.01,
    clip_norm=0.0,
    batch_size=8,
    n_accumulate=1,
    n_groups=3,
    lr_ratio=3.0,
    decay_ratio=1.0,
    dropout=(0.0, 0.2),
    bn_freeze="all",
    bn_momentum="own",
)
PHASE = {
    "trainable": "all",
    "size_px": "full",
    "lr": 1e-3,
    "cycles": 1,
    "cycle_len": 1,
    "cycle_mult": 1,
    "schedule": "sgdr",
    "warmup_frac": 0.05,
}
SECTION: dict[str, Any] = {
    "phases": [PHASE],
    "seed": 0,
    "monitor": "log_loss",
    "stop_when_worse": True,
    "keep": "last",
    "n_snapshots": 0,
}


def section(**changes: object) -> UnfreezeFinetuneParams:
    return UnfreezeFinetuneParams.model_validate(SECTION | changes)


@pytest.fixture(scope="module")
def start(plain: SizedActivations, labels: Labels) -> Checkpoint:
    return train_head(
        plain, labels, PARAMS, HEAD, SGD, NONE, AS_THEY_ARE, PLAIN_CPU, Silent()
    ).checkpoint


def finetune(
    start: Checkpoint,
    labels: Labels,
    params: UnfreezeFinetuneParams,
    suggestion: Suggestion = NONE,
    optimizer: FinetuneOptimizerParams = OPTIMIZER,
) -> Training:
    return finetuning(start, labels, params, suggestion, optimizer).training


def finetuning(
    start: Checkpoint,
    labels: Labels,
    params: UnfreezeFinetuneParams,
    suggestion: Suggestion = NONE,
    optimizer: FinetuneOptimizerParams = OPTIMIZER,
) -> Finetuning:
    pictures = small_pictures()
    backbone = small_backbone()
    return unfreeze_finetune(
        backbone,
        start,
        pictures,
        labels,
        AUGMENT,
        params,
        optimizer,
        AS_THEY_ARE,
        suggestion,
        Silent(),
    )


@pytest.mark.parametrize("bn_freeze", ["none", "all"])
def test_the_phase_whose_rate_is_far_too_high_is_named(
    bn_freeze: str, start: Checkpoint, labels: Labels
) -> None:
    steep = section(phases=[PHASE, PHASE | {"lr": 1e30}])
    sgd = {"name": "sgd", "weight_decay": 0.0, "bn_freeze": bn_freeze}
    sentence = (
        r"of epoch 2, where unfreeze_finetune\.phases\.1\.lr is 1e\+30\. .* suggests 0\.004\."
    )
    with pytest.raises(DivergedError, match=sentence):
        finetune(start, labels, steep, Suggestion(0.004, ""), OPTIMIZER.model_copy(update=sgd))


def changes(training: Training, start: Checkpoint) -> list[float]:
    """The largest change of a parameter of each layer group."""
    groups = []
    before, after = small_network(), small_network()
    load(before, small_backbone().model.state_dict(), start.part("head"))
    load(after, training.checkpoint.part("backbone"), training.checkpoint.part("head"))
    for old, new in zip(parameter_groups(before, 3), parameter_groups(after, 3), strict=True):
        groups.append(max((a - b).abs().max().item() for a, b in zip(old, new, strict=True)))
    return groups


def load(network: Network, body: dict[str, Tensor], head: dict[str, Tensor]) -> None:
    network.backbone.model.load_state_dict(body)
    network.head.load_state_dict(head)


def test_all_groups_move_the_last_one_most(start: Checkpoint, labels: Labels) -> None:
    training = finetune(start, labels, section())
    early, late, head = changes(training, start)
    assert 0 < early < late < head
    # AdamW moves a weight by about its rate a step: 4 steps, the first of them in the warm-up
    assert early < 4 * 1e-3 / 9 * 1.5
    info = training.checkpoint.info
    assert info.params["runtime"] == PLAIN_CPU.describe()
    assert (info.kind, info.dropout, info.history[-1]) == (
        "network",
        (0.0, 0.2),
        "unfreeze-finetune",
    )


def test_gradual_unfreezing_moves_only_what_a_phase_unfreezes(
    start: Checkpoint, labels: Labels
) -> None:
    training = finetune(start, labels, section(phases=[PHASE | {"trainable": "late"}]))
    early, late, head = changes(training, start)
    assert early == 0 and late > 0 and head > 0
    both = section(phases=[PHASE | {"trainable": "head"}, PHASE], stop_when_worse=False)
    training = finetune(start, labels, both)
    assert list(training.epochs["phase"]) == [0, 1]
    assert min(changes(training, start)) > 0


def test_frozen_batch_norms_keep_their_statistics(start: Checkpoint, labels: Labels) -> None:
    frozen = finetune(start, labels, section()).checkpoint.tensors
    running = finetune(
        start, labels, section(), optimizer=OPTIMIZER.model_copy(update={"bn_freeze": "none"})
    ).checkpoint.tensors
    original = small_backbone().model.state_dict()
    names = [name for name in original if name.endswith("running_mean")]
    assert names
    assert all(torch.equal(frozen[f"backbone.{name}"], original[name]) for name in names)
    assert not any(torch.equal(running[f"backbone.{name}"], original[name]) for name in names)
    assert torch.equal(frozen["head.0.running_var"], start.tensors["head.0.running_var"])


def test_a_ruinous_rate_keeps_the_starting_point(start: Checkpoint, labels: Labels) -> None:
    ruinous = section(phases=[PHASE | {"lr": 10.0}], keep="best")
    training = finetune(start, labels, ruinous)
    assert training.metrics["kept_epoch"] == 0 and training.metrics["worse_than_start"] is False
    assert changes(training, start) == [0, 0, 0]


def test_it_is_the_same_tomorrow(start: Checkpoint, labels: Labels) -> None:
    one, two = (finetune(start, labels, section()).checkpoint.tensors for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_auto_is_the_suggestion_for_the_first_phase_alone(
    start: Checkpoint, labels: Labels
) -> None:
    auto = section(phases=[PHASE | {"lr": "auto"}])
    assert finetune(start, labels, auto, Suggestion(2e-3, "")).metrics["lr"] == 2e-3
    with pytest.raises(ValueError, match=r"unfreeze_finetune.phases.0.lr is auto, but"):
        finetune(start, labels, auto)
    with pytest.raises(ValidationError, match=r"phases\.1\.lr is auto, which only the first"):
        section(phases=[PHASE, PHASE | {"lr": "auto"}])


def test_a_precision_with_wrong_gradients_does_not_train(start: Checkpoint, labels: Labels) -> None:
    backbone = small_backbone().on(replace(PLAIN_CPU, training_dtype=torch.bfloat16))
    running = OPTIMIZER.model_copy(update={"bn_freeze": "none"})
    after_the_head = section(phases=[PHASE | {"trainable": "head"}, PHASE])
    for params in (section(), after_the_head):
        with pytest.raises(PrecisionError, match=r"runtime\.precision"):
            unfreeze_finetune(
                backbone, start, small_pictures(), labels, AUGMENT, params, running, AS_THEY_ARE,
                NONE, Silent(),
            )  # fmt: skip


def test_without_a_valid_split_the_last_weights_are_kept(start: Checkpoint) -> None:
    training = finetune(start, make_labels(valid=False), section(keep="best"))
    assert training.metrics["kept_epoch"] == 1 and "valid" not in training.metrics


def test_a_worse_end_that_is_kept_is_known(start: Checkpoint, labels: Labels) -> None:
    ruinous = section(phases=[PHASE | {"lr": 10.0}], stop_when_worse=False)
    metrics: dict[str, Any] = finetune(start, labels, ruinous).metrics
    assert metrics["worse_than_start"] is True
    assert metrics["kept"]["log_loss"] > metrics["start"]["log_loss"]
    best = finetune(start, labels, ruinous.model_copy(update={"keep": "best"})).metrics
    assert (best["kept_epoch"], best["worse_than_start"]) == (0, False)


def test_what_the_choice_of_the_weights_is_worth_stands_beside(
    start: Checkpoint, labels: Labels
) -> None:
    cycles = section(phases=[PHASE | {"cycles": 4, "lr": 0.03}], stop_when_worse=False, keep="best")
    metrics: dict[str, Any] = finetune(start, labels, cycles).metrics
    choice = metrics["choice"]
    assert choice["n_points"] == 5
    for name in ("log_loss", "accuracy"):
        assert choice[f"{name}_claimed"] == metrics["kept"][name]
        optimism = choice[f"{name}_claimed"] - choice[name]
        optimism *= -1 if name == "log_loss" else 1
        assert choice[f"{name}_optimism"] == pytest.approx(optimism)
    assert choice["log_loss_optimism"] > 0, "another fold chose other weights"
    nothing_chosen = cycles.model_copy(update={"keep": "last"})
    assert "choice" not in finetune(start, labels, nothing_chosen).metrics
    assert "choice" not in finetune(start, make_labels(valid=False), cycles).metrics
    # All pictures are of one group, so there are no folds.
    of_one_group = replace(labels, table=labels.table.assign(group="a"))
    again = finetune(start, of_one_group, cycles)
    assert "choice" not in again.metrics
    assert again.metrics["kept"] == metrics["kept"]


RUINOUS = PHASE | {"lr": 1.0, "cycles": 2}


@pytest.mark.parametrize("trainable", ["all", "late"])
def test_a_ruinous_first_cycle_ends_fine_tuning_and_keeps_the_head(
    trainable: str, start: Checkpoint, labels: Labels
) -> None:
    first = RUINOUS | {"size_px": 40, "trainable": trainable}
    found = unfreeze_finetune(
        small_backbone(), start, small_pictures(48), labels, AUGMENT,
        section(phases=[first, PHASE], monitor="both", n_snapshots=1), OPTIMIZER, AS_THEY_ARE, NONE,
        Silent(),
    )  # fmt: skip
    training, metrics = found.training, found.training.metrics
    assert (metrics["n_epochs"], metrics["kept_epoch"], metrics["kept_size_px"]) == (1, 0, SIZE)
    assert metrics["worse_first_cycle"] and metrics["overfitted"] is False
    assert metrics["kept"] == metrics["start"]
    assert changes(training, start) == [0, 0, 0]
    [snapshot] = found.snapshots.members()
    assert snapshot.info.size_px == SIZE
    assert all(torch.equal(snapshot.tensors[n], t) for n, t in training.checkpoint.tensors.items())


def test_cycles_of_the_head_alone_do_not_end_fine_tuning(start: Checkpoint, labels: Labels) -> None:
    head = section(phases=[RUINOUS | {"trainable": "head"}], monitor="both", keep="best")
    metrics = finetune(start, labels, head).metrics
    assert (metrics["n_epochs"], metrics["kept_epoch"]) == (2, 0)
    assert "worse_first_cycle" not in metrics


def test_a_network_predicts_at_the_size_it_was_kept_at(start: Checkpoint, labels: Labels) -> None:
    large = PHASE | {"size_px": 40}
    pictures = small_pictures(48)
    ruined = section(phases=[PHASE | {"size_px": 32}, large | {"lr": 10.0}], keep="best")
    run = partial(
        unfreeze_finetune, augment=AUGMENT, optimizer=OPTIMIZER, sampling=AS_THEY_ARE,
        suggestion=NONE, report=Silent(),
    )  # fmt: skip
    kept = run(small_backbone(), start, pictures, labels, params=ruined).training
    assert (kept.checkpoint.info.size_px, kept.metrics["kept_epoch"]) == (32, 1)
    to_the_end = section(phases=[PHASE | {"size_px": 32}, large])
    kept = run(small_backbone(), start, pictures, labels, params=to_the_end).training
    assert (kept.checkpoint.info.size_px, kept.metrics["kept_size_px"]) == (40, 40)


def test_snapshots_are_the_last_ends_of_cycles(start: Checkpoint, labels: Labels) -> None:
    cycles = section(phases=[PHASE | {"cycles": 3}], stop_when_worse=False, n_snapshots=2)
    result = finetuning(start, labels, cycles)
    one, two = result.snapshots.members()
    assert two.tensors.keys() == result.training.checkpoint.tensors.keys()
    shorter = section(phases=[PHASE | {"cycles": 2}], stop_when_worse=False)
    second, third = finetune(start, labels, shorter), result.training
    for member, training in ((one, second), (two, third)):
        for name, tensor in training.checkpoint.tensors.items():
            assert torch.equal(member.tensors[name], tensor)
    nothing = finetuning(start, labels, shorter).snapshots
    with pytest.raises(CheckpointError, match=r"set unfreeze_finetune\.n_snapshots to at least 1"):
        nothing.states()


def test_an_ensemble_predicts_the_mean_of_its_members(start: Checkpoint, labels: Labels) -> None:
    cycles = section(phases=[PHASE | {"cycles": 2}], stop_when_worse=False, n_snapshots=2)
    states = finetuning(start, labels, cycles).snapshots.states()
    entrants = {"one": [states[0]], "two": [states[1]], "both": states}
    predict = Predictor(
        small_backbone(),
        {name: Trained(members, SIZE) for name, members in entrants.items()},
        small_pictures(), AUGMENT, n_views=1, seed=0, task="single_label",
        report=Silent(),
    )  # fmt: skip
    found = predict(labels.ids("valid")[:5])
    assert found["both"].shape == (2, 5, 3)
    np.testing.assert_allclose(found["both"], (found["one"] + found["two"]) / 2)
    assert not np.allclose(found["one"], found["two"])


def test_no_pictures_have_predictions_without_rows(
    plain: SizedActivations, labels: Labels, start: Checkpoint
) -> None:
    """A head on the frozen backbone, a network, an ensemble: all know their number of classes."""
    cycles = section(phases=[PHASE | {"cycles": 2}], stop_when_worse=False, n_snapshots=2)
    states = finetuning(start, labels, cycles).snapshots.states()
    entrants = {"head": [start.tensors], "network": states[:1], "ensemble": states}
    predict = Predictor(
        small_backbone(),
        {name: Trained(members, SIZE) for name, members in entrants.items()},
        small_pictures(), AUGMENT, n_views=2, seed=0, task="single_label",
        report=Silent(),
    )  # fmt: skip
    assert {name: found.shape for name, found in predict([]).items()} == dict.fromkeys(
        entrants, (3, 0, 3)
    )


def test_params_of_batch_norms_that_the_backbone_lacks_are_told(
    start: Checkpoint, labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.steps.unfreeze_finetune.has_batch_norm", lambda _: False)
    idle = OPTIMIZER.model_copy(update={"bn_freeze": "backbone", "bn_momentum": 0.1})
    sentence = r"'test_resnet', which has no batch norm: .*bn_freeze and bn_momentum can act on"
    with pytest.warns(NoBatchNormWarning, match=sentence):
        finetune(start, labels, section(), optimizer=idle)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(("n_accumulate", "checkpoints"), [(1, False), (3, False), (3, True)])
def test_a_run_that_was_broken_off_ends_with_the_same_bits(
    n_accumulate: int, checkpoints: bool, start: Checkpoint, labels: Labels
) -> None:
    """Cycles, early stopping, snapshots, dropout, and batch norms that move."""
    late = PHASE | {"trainable": "late", "lr": 1e-2}
    params = section(
        phases=[late, PHASE | {"cycles": 2, "cycle_mult": 2}], keep="best", n_snapshots=2
    )
    changes = {"bn_freeze": "none", "dropout": (0.25, 0.5), "n_accumulate": n_accumulate}
    free = OPTIMIZER.model_copy(update=changes | {"checkpoint_activations": checkpoints})

    def run(report: Report, resume: Resume) -> Finetuning:
        return unfreeze_finetune(
            small_backbone(), start, small_pictures(), labels, AUGMENT, params, free, AS_THEY_ARE,
            NONE, report, resume,
        )  # fmt: skip

    gone_on, stage, report = broken_off(run, [3, 4, 2])
    undisturbed, _, before = broken_off(run, [])
    assert_same_training(gone_on.training, undisturbed.training)
    assert bits(gone_on.snapshots.tensors) == bits(undisturbed.snapshots.tensors)
    assert report.logged == before.logged
    assert stage.said == ["at step 2 of 4 of epoch 3 of 4"]


@pytest.mark.parametrize(("name", "atol"), [("sgd", 1e-6), ("adamw", 2e-4)])
def test_batches_in_parts_train_as_whole_ones(
    name: str, atol: float, start: Checkpoint, labels: Labels, figures: Callable[[str], None]
) -> None:
    """Dropout is on. Adam divides by the root of squares, so tiny gradients magnify rounding."""
    params = section(phases=[PHASE | {"cycles": 3}], stop_when_worse=False)
    whole = OPTIMIZER.model_copy(update={"name": name, "dropout": (0.25, 0.5)})
    trained = [
        finetune(start, labels, params, optimizer=whole.model_copy(update={"n_accumulate": n}))
        for n in (1, 2)
    ]
    one, two = (training.checkpoint.tensors for training in trained)
    largest = max((one[n] - two[n]).abs().max().item() for n in one)
    assert 0 < largest < atol
    assert trained[0].metrics["train_loss"] == pytest.approx(trained[1].metrics["train_loss"], 1e-5)
    figures(f"{name}, 12 steps in 2 parts each: weights differ by {largest:.0e} at most")


@pytest.mark.parametrize("bn_freeze", ["none", "all"])
@pytest.mark.parametrize(("n_accumulate", "n_threads"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_activations_that_are_computed_again_change_no_bit(
    n_accumulate: int, n_threads: int, bn_freeze: str, start: Checkpoint, labels: Labels,
    figures: Callable[[str], None], torch_threads: Callable[[int], None],
) -> None:  # fmt: skip
    """Dropout is on, and the first phase trains only late layers. Two threads are two teams."""
    torch_threads(n_threads)
    late = PHASE | {"trainable": "late"}
    params = section(phases=[late, PHASE | {"cycles": 2}], stop_when_worse=False, n_snapshots=1)
    values = OPTIMIZER.model_dump() | {"dropout": (0.25, 0.5), "n_accumulate": n_accumulate}
    usual, checkpointed = (
        finetuning(start, labels, params, optimizer=FinetuneOptimizerParams.model_validate(
            values | {"bn_freeze": bn_freeze, "checkpoint_activations": checkpoints}
        ))
        for checkpoints in (False, True)
    )  # fmt: skip
    assert bits(checkpointed.snapshots.tensors) == bits(usual.snapshots.tensors)
    one, two = checkpointed.training, usual.training
    found, wanted = bits(one.checkpoint.tensors), bits(two.checkpoint.tensors)
    assert found == wanted
    assert one.metrics == two.metrics
    infos = [training.checkpoint.info.model_dump() for training in (one, two)]
    of_optimizer = [info["params"]["optimizer_finetune"] for info in infos]
    assert of_optimizer[0].pop("checkpoint_activations") is True
    assert infos[0] == infos[1], "without the key, the file is as it was before the key existed"
    about = f"n_accumulate {n_accumulate}, bn_freeze {bn_freeze}, threads {n_threads}"
    figures(f"{about}, 12 steps: {len(found)} of {len(wanted)} tensors the same bits")
