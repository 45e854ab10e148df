"""A trial is what the stages make, and is judged at the quarters of its epochs."""

import copy
from pathlib import Path

import numpy as np
import pytest

from headstart.labels.task import SCORE, Task
from headstart.project.params import ParamsError
from headstart.project.report import Silent
from headstart.steps.train_augmented import train_augmented
from headstart.steps.train_head import train_head
from headstart.sweeping.objective import HeadParamsOfAll, Watched
from headstart.sweeping.settings import Settings, with_settings
from tests.sweeping.generated import PARAMS, cached_set, values

MANY_EPOCHS: Settings = {"train_augmented.phases.0.cycles": 5, "sampling.balance": "oversample"}


def params(settings: Settings | None = None) -> HeadParamsOfAll:
    return HeadParamsOfAll.of(with_settings(values(), settings or {}), PARAMS)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize(
    "settings",
    [{}, MANY_EPOCHS, {"head.hidden_units": 0}],
    ids=["as it is", "views repeat", "linear"],
)
def test_a_trial_has_the_scores_of_the_stages_to_the_bit(task: Task, settings: Settings) -> None:
    cached, of = cached_set(task), params(settings)
    scores = cached.train(of)
    start = train_head(
        cached.plain, cached.labels, of.train_head, of.head, of.optimizer_head, cached.suggestion,
        of.sampling, cached.compute, Silent(),
    )  # fmt: skip
    with pytest.warns(match="views repeat"):
        training = train_augmented(
            cached.views, cached.plain, cached.labels, start.checkpoint, of.train_augmented,
            of.optimizer_head, of.sampling, cached.compute, Silent(),
        )  # fmt: skip
    assert training.metrics["valid"] == scores.named(task)
    assert scores.log_loss == pytest.approx(scores.log_losses.mean())
    assert scores.score == pytest.approx(scores.scores.mean())
    assert SCORE[task].lower() in scores.named(task)


def test_auto_takes_the_rate_of_the_range_test() -> None:
    cached = cached_set(lr=0.02)
    auto, number = (params({"train_head.lr": lr}) for lr in ("auto", 0.02))
    assert cached.train(auto) == cached.train(number) != cached.train(params())


def test_another_seed_gives_other_scores() -> None:
    cached, of = cached_set(), params()
    assert of.other_seed(0) == of
    assert of.other_seed(2).train_head.seed == of.other_seed(2).train_augmented.seed == 2
    losses = {cached.train(of.other_seed(number)).log_loss for number in range(3)}
    assert len(losses) == 3


def test_the_class_sizes_are_those_of_train() -> None:
    cached = cached_set()
    numbers = cached.labels.targets(cached.labels.labelled("train"))
    assert cached.class_sizes() == np.bincount(numbers.astype(int)).tolist()
    assert len(set(cached.class_sizes())) > 1


def test_a_wrong_section_is_named() -> None:
    wrong = copy.deepcopy(values())
    wrong["head"]["dropout"] = [2.0, 0.5]
    with pytest.raises(ParamsError, match=r"x\.yaml: head\.dropout\.0 is 2\.0"):
        HeadParamsOfAll.of(wrong, Path("x.yaml"))


@pytest.mark.parametrize(
    ("n_epochs", "marks"),
    [(8, [(2, 1), (4, 2), (6, 3)]), (3, [(1, 1), (2, 2)]), (2, [(1, 2)]), (1, [])],
)
def test_a_trial_is_judged_at_each_quarter_but_the_last(
    n_epochs: int, marks: list[tuple[int, int]]
) -> None:
    told = []
    watched = Watched(n_epochs, lambda mark, log_loss, score: told.append((int(log_loss), mark)))
    for epoch in range(1, n_epochs + 1):
        watched.log({"valid_loss": epoch, "valid_score": 0.5}, epoch)
    assert told == marks


def test_the_judge_ends_the_training() -> None:
    of, told = params(), []

    def judge(mark: int, log_loss: float, score: float) -> None:
        told.append(mark)
        if mark == 2:
            raise KeyError(mark)

    with pytest.raises(KeyError):
        cached_set().train(of, Watched(of.n_epochs, judge))
    assert told == [1, 2]
