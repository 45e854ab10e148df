"""A training that is broken off at any step ends with the bits of an undisturbed one."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from headstart.network.objective import Objective
from headstart.project.report import Report
from headstart.training.cached_head import cached_material
from headstart.training.feature_source import FeatureSource
from headstart.training.fit import Trainer
from headstart.training.lr_curve import LrCurve, RangeTestParams
from headstart.training.material import Phase
from headstart.training.optimizer import OptimizerParams, ParameterGroup
from headstart.training.outcome import FitResult
from headstart.training.range_test import range_test
from headstart.training.resume import Resume
from headstart.training.sampling import Sampler
from headstart.training.schedules import opposed, sgdr
from headstart.training.stop_rule import StopRule
from tests.broken_off import AStage, Breaks, Killed, at_each_step, bits, broken_off, let_go
from tests.broken_off import empty_folder as empty_folder

N, D, K = 30, 6, 3
N_STEPS = 3  # of an epoch
CYCLES = ([1, 2], [1, 1])  # of the two phases
N_ALL = N_STEPS * 5
RULE = StopRule("log_loss", stop=True, keep="best")
RUNS_ON = StopRule("both", stop=False, keep="last")
RANGE = RangeTestParams(n_iter=20, lr_start=1e-4, lr_end=0.1, smoothing=0.9, rule="valley", seed=0)

pytestmark = pytest.mark.usefixtures("empty_folder")


def source(seed: int, n_views: int) -> FeatureSource:
    random = np.random.default_rng(seed)
    features = random.normal(size=(n_views, N, D)).astype(np.float32)
    return FeatureSource(features, random.integers(0, K, N), torch.device("cpu"))


class Rig:
    """A net with batch norm and dropout, and what trains it: all that a state must hold."""

    def __init__(self, report: Report, resume: Resume, name: str = "sgd") -> None:
        torch.manual_seed(3)
        self.net = nn.Sequential(
            nn.Linear(D, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, K)
        )
        params: dict[str, Any] = {"name": name, "momentum": 0.9, "weight_decay": 0.01}
        optimizer = OptimizerParams(**params, clip_norm=1.0, batch_size=10)
        sampler = Sampler(np.linspace(1.0, 1.0, N))
        objective = Objective("single_label")
        self.trainer = Trainer(self.net, sampler, optimizer, objective, 5, report, resume)

    def phase(self, number: int, lr: float) -> Phase:
        """Both phases are judged, each by data of its own; the first trains no more than the end."""
        first, cycles = self.net[-1] if number == 0 else self.net, CYCLES[number]
        valid = source(10 + number, 1)
        return Phase(
            groups=[ParameterGroup(list(first.parameters()), lr, 0.01)],
            set_mode=self.net.train,
            material=cached_material(self.net, source(number, 2), valid, Objective("single_label")),
            cycles=cycles,
            schedule=lambda n: opposed(sgdr(cycles, n, 0.2), 10.0, 0.9, 0.8),
        )

    def fit(self, rule: StopRule | None, lr: float = 0.5) -> tuple[FitResult, dict[str, bytes]]:
        phases = [self.phase(0, lr), self.phase(1, lr)]
        result = self.trainer.fit(phases, rule, n_snapshots=2)
        return result, bits(self.net.state_dict())

    def range_test(self) -> tuple[LrCurve, dict[str, bytes]]:
        curve = range_test(self.trainer, self.phase(1, 1.0), RANGE)
        return curve, bits(self.net.state_dict())


def assert_same(
    one: tuple[FitResult, dict[str, bytes]], two: tuple[FitResult, dict[str, bytes]]
) -> None:
    (result, weights), (again, weights_again) = one, two
    assert weights == weights_again
    assert [bits(state) for state in result.snapshots] == [bits(state) for state in again.snapshots]
    for name, value in vars(result).items():
        if name != "snapshots":
            assert value == getattr(again, name), name
    for point, other in zip(result.points, again.points, strict=True):
        for name in ("scores", "log_losses"):
            assert (getattr(point.scores, name) == getattr(other.scores, name)).all()


@pytest.mark.parametrize("n", [0, 1, 3, 5, 9, 10, N_ALL - 1])
def test_broken_off_at_any_step(n: int) -> None:
    def run(report: Report, resume: Resume) -> tuple[FitResult, dict[str, bytes]]:
        return Rig(report, resume).fit(RUNS_ON)

    undisturbed, _, before = broken_off(run, [])
    gone_on, stage, report = broken_off(run, [n])
    assert_same(undisturbed, gone_on)
    assert report.logged == before.logged, "the curves of the tracker are whole"
    epoch, step = divmod(n, N_STEPS)
    where = f"at step {step + 1} of {N_STEPS} of epoch {epoch + 1} of 5"
    assert stage.said == [where if step else f"at epoch {epoch + 1} of 5"][: n > 0]


@pytest.mark.parametrize(
    ("name", "rule"), [("sgd", RULE), ("sgdw", None), ("adam", RUNS_ON), ("adamw", RULE)]
)
def test_broken_off_after_every_single_step(
    name: str, rule: StopRule | None, figures: Callable[[str], None]
) -> None:
    def run(report: Report, resume: Resume) -> tuple[FitResult, dict[str, bytes]]:
        return Rig(report, resume, name).fit(rule)

    undisturbed, _, _ = broken_off(run, [])
    n_steps = N_STEPS * len(undisturbed[0].epochs)
    assert undisturbed[0].stopped == (rule is RULE), "a phase ends early where a rule says so"
    gone_on, _, _ = broken_off(run, [1] * (n_steps - 1))
    assert_same(undisturbed, gone_on)
    figures(f"{name}: {n_steps - 1} breaks, one after each step, and the same bits")


class BreaksAtTheEnd(Breaks):
    """Breaks off when an epoch has been judged."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        raise Killed


def test_broken_off_when_all_steps_of_an_epoch_are_made() -> None:
    undisturbed, _, _ = broken_off(lambda report, resume: Rig(report, resume).fit(RULE), [])
    kept = at_each_step(AStage())
    with pytest.raises(Killed):
        Rig(BreaksAtTheEnd(), kept).fit(RULE)
    let_go(kept)
    stage = AStage()
    assert_same(undisturbed, Rig(Breaks(), at_each_step(stage)).fit(RULE))
    assert stage.said == ["at the end of epoch 1 of 5"]


def test_broken_off_after_the_last_epoch() -> None:
    kept = at_each_step(AStage())
    undisturbed = Rig(Breaks(), kept).fit(RUNS_ON)
    let_go(kept)  # the process ends before its stage has ended well
    stage = AStage()
    assert_same(undisturbed, Rig(Breaks(), at_each_step(stage)).fit(RUNS_ON))
    assert stage.said == ["after epoch 5 of 5"]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_range_test_goes_on_too(name: str) -> None:
    def run(report: Report, resume: Resume) -> tuple[LrCurve, dict[str, bytes]]:
        return Rig(report, resume, name).range_test()

    undisturbed, _, before = broken_off(run, [])
    gone_on, stage, report = broken_off(run, [1, 3, 5, 2])
    assert gone_on == undisturbed
    assert report.logged == before.logged
    assert stage.said == ["at rate 12 of 20"]
