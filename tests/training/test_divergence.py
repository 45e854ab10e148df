import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from headstart.network.objective import Scores
from headstart.training.divergence import N_UNREAD, Cause, DivergedError, Watch
from headstart.training.gradients import PrecisionError, require_right_gradients
from headstart.training.lr_curve import Suggestion, suggest
from headstart.training.material import Material
from headstart.training.phases import lower
from headstart.training.range_test import range_test
from headstart.training.sampling import Rows
from headstart.training.stop_rule import StopRule
from tests.training.test_fit import RANGE, SGD, D, K, model, phase, source, trainer

NAN, INF = math.nan, math.inf
CAUSE = Cause("train_head.lr", 1e30, "Set a lower one; the range test suggests 0.01.")
UNTIL_WORSE = StopRule("score", stop=True, keep="best")


def test_the_first_loss_that_is_not_finite_ends_the_training() -> None:
    net = model()
    steep = replace(phase(net, lr=1e30), lr_key="train_head.lr", remedy=CAUSE.remedy)
    with pytest.raises(DivergedError) as raised:
        trainer(net).fit([steep])
    assert str(raised.value) == (
        "The training diverged: the loss is nan at step 2 of 4 of epoch 1, where train_head.lr is "
        "1e+30. Nothing is written. Set a lower one; the range test suggests 0.01."
    )


class Broken:
    """Four batches an epoch; the inputs of one of them are not finite."""

    def __init__(self, epoch: int, step: int) -> None:
        self.epoch_of_it, self.step = epoch, step
        self.n_given = 0

    def epoch(
        self, epoch: int, batches: Sequence[Rows]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        whole = source().epoch(epoch, batches)
        for step, (features, targets) in enumerate(whole):
            self.n_given += 1
            if (epoch, step) == (self.epoch_of_it, self.step):
                features = torch.full_like(features, NAN)
            yield features, targets


def test_no_step_follows_it() -> None:
    net, broken = model(), Broken(epoch=1, step=2)
    with pytest.raises(
        DivergedError, match=r"the loss is nan at step 3 of 4 of epoch 2, where lr "
    ):
        trainer(net).fit([phase(net, material=Material(broken, None))])
    assert broken.n_given == 4 + 3


def test_no_rate_is_to_blame_for_what_the_training_starts_from() -> None:
    net = model()
    with pytest.raises(DivergedError, match=r"step 1 of 4 of epoch 1, before anything was trained"):
        trainer(net).fit([phase(net, material=Material(Broken(0, 0), None))])
    with pytest.raises(DivergedError, match=r"valid is nan before epoch 1, before anything"):
        trainer(net).fit(
            [phase(net, material=Material(source(), lambda: Scores(NAN, 0.5)))], UNTIL_WORSE
        )


def test_the_phase_before_is_to_blame_for_the_first_loss_of_the_next() -> None:
    net = model()
    phases = [
        replace(phase(net, cycles=[1]), lr_key="x.phases.0.lr"),
        replace(phase(net, cycles=[1], material=Material(Broken(1, 0), None)), lr_key="x.phases.1"),
    ]
    with pytest.raises(DivergedError, match=r"step 1 of 4 of epoch 2, where x\.phases\.0\.lr is"):
        trainer(net).fit(phases)


@pytest.mark.parametrize("log_loss", [NAN, INF])
@pytest.mark.parametrize("rule", [None, UNTIL_WORSE, StopRule("log_loss", True, "best")])
def test_scores_that_are_not_finite_are_never_compared(
    log_loss: float, rule: StopRule | None
) -> None:
    """The accuracy of predictions that are nan is a number: it must not be the best one."""
    start = [Scores(1.0, 0.5)] if rule else []
    told = iter([*start, Scores(0.9, 0.6), Scores(log_loss, 0.9), Scores(1.0, 0.5)])
    net = model()
    judged = Material(source(), lambda: next(told))
    with pytest.raises(DivergedError, match=f"the log loss of valid is {log_loss} after epoch 2"):
        trainer(net).fit([phase(net, cycles=[1, 1], material=judged)], rule)


def test_the_last_update_is_looked_at_though_no_loss_follows() -> None:
    """One step: its loss is that of the fresh weights, some hundreds; its gradient is as large."""
    net = nn.Linear(D, K)
    one_step = replace(trainer(net), optimizer=SGD.model_copy(update={"batch_size": 64}))
    features = source().features
    assert isinstance(features, np.ndarray)
    large = Material(replace(source(), features=features * 1000), None)
    with pytest.raises(
        DivergedError, match=r"numbers in weight are not finite after epoch 1, where"
    ):
        one_step.fit([phase(net, lr=1e38, cycles=[1], material=large)])


def test_statistics_of_batch_norm_are_looked_at_too() -> None:
    net = model()
    net.state_dict()["0.running_var"][-1] = INF
    with pytest.raises(
        DivergedError, match=r"numbers in 0\.running_var are not finite after epoch"
    ):
        trainer(net).fit([phase(net)])


def test_many_names_are_not_all_listed() -> None:
    net = nn.Sequential(*(nn.Linear(1, 1) for _ in range(4)))
    for parameter in net.parameters():
        parameter.data.fill_(NAN)
    with pytest.raises(DivergedError, match=r"in 0\.weight, 0\.bias, 1\.weight and 5 more are not"):
        Watch(0, 1, CAUSE, None).end(net)


class OnGpu(torch.Tensor):
    """Numbers that say they are a GPU's, and count how often one waits for them."""

    n_waits = 0

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda")

    def tolist(self) -> list[Any]:
        OnGpu.n_waits += 1
        return super().tolist()


@pytest.mark.parametrize("bad", [0, 7, N_UNREAD - 1, N_UNREAD, 2 * N_UNREAD + 3])
def test_a_gpu_is_waited_for_now_and_then_and_the_first_bad_loss_is_named(bad: int) -> None:
    n = 2 * N_UNREAD + 5

    def steps(losses: list[float]) -> Iterator[tuple[torch.Tensor, int]]:
        return ((torch.tensor(loss).as_subclass(OnGpu), 4) for loss in losses)

    watch = Watch(0, n, CAUSE, CAUSE)
    OnGpu.n_waits = 0
    assert len(list(watch.losses(steps([1.0] * n)))) == n
    assert OnGpu.n_waits == 3
    broken = watch.losses(steps([1.0] * bad + [INF] + [NAN] * (n - bad - 1)))
    with pytest.raises(DivergedError, match=f"loss is inf at step {bad + 1} of {n} of epoch 1"):
        list(broken)


@pytest.mark.parametrize("at", [0, 12])
def test_a_range_test_that_meets_nan_ends_there_and_is_no_error(at: int) -> None:
    net = model()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    broken = Material(Broken(*divmod(at, 4)), None)
    curve = range_test(trainer(net), phase(net, lr=1.0, material=broken), RANGE)
    assert len(curve.lrs) == at + 1 and math.isnan(curve.raw[-1])
    assert all(math.isfinite(loss) for loss in curve.raw[:-1])
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert suggest(curve, "valley").lr is None  # too few points, without a warning of numpy's


@pytest.mark.parametrize(
    ("suggestion", "says"),
    [
        (Suggestion(0.01, ""), "Set a lower one; the range test suggests 0.01."),
        (Suggestion(0.5, ""), "Set a lower one, although the range test suggests 0.5."),
        (Suggestion(None, "it was skipped"), "The range test suggests none: it was skipped."),
    ],
)
def test_what_to_do_is_what_the_range_test_suggests(suggestion: Suggestion, says: str) -> None:
    assert lower(0.1, suggestion).endswith(says)


def test_gradients_that_are_no_numbers_are_not_right() -> None:
    from headstart.backbone.device import PLAIN_CPU

    with pytest.raises(PrecisionError, match="cosine of nan"):
        require_right_gradients(NAN, PLAIN_CPU)


def test_watching_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    watched, alone = model(), model()
    trainer(watched).fit([phase(watched)])
    monkeypatch.setattr(Watch, "losses", lambda self, steps: steps)
    monkeypatch.setattr(Watch, "end", lambda self, model: None)
    trainer(alone).fit([phase(alone)])
    one, two = watched.state_dict(), alone.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
