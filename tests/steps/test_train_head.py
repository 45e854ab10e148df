from typing import Any

import pandas as pd
import pytest
import torch

from headstart.activations.stored import Activations, ActivationsError, SizedActivations
from headstart.backbone.device import PLAIN_CPU
from headstart.labels.labels import Labels
from headstart.network.checkpoints import Training
from headstart.network.head import HeadParams
from headstart.project.report import Report, Silent
from headstart.steps.train_head import TrainHeadParams, train_head
from headstart.training.divergence import DivergedError
from headstart.training.lr_curve import Suggestion
from headstart.training.optimizer import OptimizerParams
from headstart.training.resume import Resume
from headstart.training.sampling import Balance, SamplingParams
from tests.broken_off import assert_same_training, broken_off
from tests.broken_off import empty_folder as empty_folder
from tests.steps.conftest import CLASSES, make_labels, sized

HEAD = HeadParams(hidden_units=16, dropout=(0.25, 0.5))
SGD = OptimizerParams(name="sgd", momentum=0.9, weight_decay=0.0, clip_norm=0.0, batch_size=8)
PARAMS = TrainHeadParams(lr=0.05, n_epochs=4, seed=0)
BEYOND = TrainHeadParams(lr=0.1, n_epochs=40, seed=0)
AS_THEY_ARE = SamplingParams(balance="none", strength=1.0, max_factor=10.0)
NONE = Suggestion(None, "the loss is flat")


def train(
    plain: SizedActivations,
    labels: Labels,
    params: TrainHeadParams = PARAMS,
    suggestion: Suggestion = NONE,
    sampling: SamplingParams = AS_THEY_ARE,
) -> Training:
    return train_head(plain, labels, params, HEAD, SGD, suggestion, sampling, PLAIN_CPU, Silent())


def test_the_checkpoint_says_what_it_is(plain: SizedActivations, labels: Labels) -> None:
    training = train(plain, labels)
    info = training.checkpoint.info
    assert (info.kind, info.classes, info.weights) == (
        "head",
        CLASSES,
        plain.first().manifest.weights,
    )
    assert info.history == ("train-head",)
    assert all(name.startswith("head.") for name in training.checkpoint.tensors)
    assert list(training.epochs["lr"]) == [0.05] * 4
    assert training.metrics["lr"] == 0.05
    assert set(training.metrics["valid"]) == {"log_loss", "accuracy"}  # type: ignore[call-overload]


def test_it_is_the_same_tomorrow(plain: SizedActivations, labels: Labels) -> None:
    one, two = (train(plain, labels).checkpoint.tensors for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_auto_takes_the_suggestion_and_refuses_none(
    plain: SizedActivations, labels: Labels
) -> None:
    auto = TrainHeadParams(lr="auto", n_epochs=1, seed=0)
    assert train(plain, labels, auto, Suggestion(0.02, "rule valley")).metrics["lr"] == 0.02
    with pytest.raises(ValueError, match=r"train_head\.lr is auto, but .*: the loss is flat"):
        train(plain, labels, auto)


def test_a_rate_that_is_far_too_high_is_named_with_what_to_do(
    plain: SizedActivations, labels: Labels
) -> None:
    steep = TrainHeadParams(lr=1e30, n_epochs=2, seed=0)
    sentence = r"at step 2 of 4 of epoch 1, where train_head\.lr is 1e\+30\. .* suggests 0\.02\."
    with pytest.raises(DivergedError, match=sentence):
        train(plain, labels, steep, Suggestion(0.02, "rule valley"))


def test_without_a_valid_split_there_are_no_valid_columns(plain: SizedActivations) -> None:
    training = train(plain, make_labels(valid=False))
    assert "valid" not in training.metrics
    assert not {"valid_loss", "valid_score"} & set(training.epochs)


def test_a_picture_without_activations_is_named(plain: SizedActivations, labels: Labels) -> None:
    all_of_them = plain.first()
    *ids, last = all_of_them.ids
    short = sized(Activations(all_of_them.features[:, :-1], ids, all_of_them.manifest))
    with pytest.raises(ActivationsError, match=f"no row for picture {last}"):
        train(short, labels)


@pytest.mark.parametrize("balance", ["oversample", "weights"])
def test_balance_tells_what_it_did_to_each_recall(
    balance: Balance, plain: SizedActivations, labels: Labels
) -> None:
    balanced = SamplingParams(balance=balance, strength=1.0, max_factor=10.0)
    metrics: dict[str, Any] = train(plain, labels, sampling=balanced).metrics
    told = metrics["balance"]
    assert set(told) == {"recall", "recall_without", "recall_change"}
    assert all(set(of_one) == set(CLASSES) for of_one in told.values())
    for name in CLASSES:
        change = told["recall"][name] - told["recall_without"][name]
        assert told["recall_change"][name] == pytest.approx(change)
    assert "balance" not in train(plain, labels).metrics
    plain_head, other = (
        train(plain, labels, sampling=sampling).checkpoint.tensors["head.2.weight"]
        for sampling in (AS_THEY_ARE, balanced)
    )
    assert not torch.equal(plain_head, other)


def test_a_head_for_many_labels(plain: SizedActivations) -> None:
    one = make_labels()
    several = [[name, "a"] if name != "a" else [] for [name] in one.table["labels"]]
    table = one.table.assign(labels=pd.Series(several, dtype=object))
    training = train(plain, Labels(table, CLASSES, "multi_label"), BEYOND)
    metrics: dict[str, Any] = training.metrics
    assert set(metrics["valid"]) == {"log_loss", "f2"} and training.checkpoint.info.thresholds == {}
    assert training.epochs["train_loss"].iloc[-1] < 0.7 * training.epochs["train_loss"].iloc[0]


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("balance", ["none", "oversample"])
def test_a_run_that_was_broken_off_ends_with_the_same_bits(
    balance: Balance, plain: SizedActivations, labels: Labels
) -> None:
    sampling = AS_THEY_ARE.model_copy(update={"balance": balance})

    def run(report: Report, resume: Resume) -> Training:
        return train_head(
            plain, labels, PARAMS, HEAD, SGD, NONE, sampling, PLAIN_CPU, report, resume
        )

    gone_on, stage, _ = broken_off(run, [3, 2])
    assert_same_training(gone_on, broken_off(run, [])[0])
    five_steps = balance == "oversample"
    assert stage.said == ["at epoch 2 of 4" if five_steps else "at step 2 of 4 of epoch 2 of 4"]
