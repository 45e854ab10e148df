from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from headstart.network.objective import Objective, Scores
from headstart.project.report import Silent
from headstart.training.feature_source import FeatureSource
from headstart.training.fit import Trainer
from headstart.training.lr_curve import RangeTestParams
from headstart.training.material import Material, Phase
from headstart.training.optimizer import OptimizerParams, ParameterGroup
from headstart.training.range_test import range_test
from headstart.training.sampling import Rows, Sampler
from headstart.training.schedules import Step, sgdr
from headstart.training.stop_rule import StopRule

N, D, K = 50, 6, 3
SGD = OptimizerParams(name="sgd", momentum=0.9, weight_decay=0.0, clip_norm=0.0, batch_size=16)
RANGE = RangeTestParams(n_iter=30, lr_start=1e-4, lr_end=10, smoothing=0.9, rule="valley", seed=0)


def source() -> FeatureSource:
    random = np.random.default_rng(0)
    features = random.normal(size=(2, N, D)).astype(np.float32)
    targets = features[0, :, :K].argmax(1).astype(np.int64)
    return FeatureSource(features, targets, torch.device("cpu"))


def model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.BatchNorm1d(D), nn.Dropout(0.3), nn.Linear(D, K))


def trainer(of: nn.Module) -> Trainer:
    return Trainer(
        model=of,
        sampler=Sampler(np.ones(N)),
        optimizer=SGD,
        objective=Objective("single_label"),
        seed=0,
        report=Silent(),
    )


def material(*losses: float) -> Material:
    """The features, judged by what is told."""
    told = iter(losses)
    return Material(source(), (lambda: Scores(next(told), 0.5)) if losses else None)


UNJUDGED = material()


def phase(
    of: nn.Module,
    lr: float = 0.1,
    cycles: Sequence[int] = (1, 2),
    material: Material = UNJUDGED,
) -> Phase:
    return Phase(
        groups=[ParameterGroup(list(of.parameters()), lr)],
        set_mode=of.train,
        material=material,
        cycles=cycles,
        schedule=lambda n: [Step(factor) for factor in sgdr(cycles, n, 0.0)],
    )


def test_it_learns_and_tells_each_epoch() -> None:
    net = model()
    result = trainer(net).fit([phase(net, cycles=[1, 2, 4])])
    assert [(e.epoch, e.cycle, e.ends_cycle) for e in result.epochs] == [
        (0, 0, True),
        (1, 1, False),
        (2, 1, True),
        (3, 2, False),
        (4, 2, False),
        (5, 2, False),
        (6, 2, True),
    ]
    assert result.epochs[-1].train_loss < 0.7 * result.epochs[0].train_loss
    assert result.kept_epoch == 7 and not result.stopped
    assert list(result.table().columns) == ["epoch", "phase", "cycle", "lr", "train_loss"]
    lrs = result.table()["lr"]
    assert lrs[0] == lrs[1] == lrs[3] == 0.1 and lrs[2] == pytest.approx(0.05)


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before() -> None:
    nets = [model(), model()]
    for number, net in enumerate(nets):
        torch.rand(number + 1)
        trainer(net).fit([phase(net)])
    one, two = (net.state_dict() for net in nets)
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = model()
    replace(trainer(other), seed=1).fit([phase(other)])
    assert not torch.equal(other.state_dict()["2.weight"], one["2.weight"])


@pytest.mark.parametrize(
    ("losses", "stop", "keep", "kept_epoch", "n_epochs"),
    [
        # start, then the epochs of cycles of 1 and 2: only ends of cycles count
        ([1.0, 0.5, 0.1, 0.4], True, "best", 3, 3),
        ([1.0, 0.5, 0.1, 0.6], True, "best", 1, 3),
        # the starting point is no cycle: a first one that ends worse than it is no reason to stop
        ([1.0, 1.1, 0.1, 0.2], True, "best", 3, 3),
        ([1.0, 1.1, 0.1, 1.2], True, "best", 0, 3),
        ([1.0, 1.1, 0.1, 0.2], False, "best", 3, 3),
        ([1.0, 1.1, 9.0, 1.2], False, "best", 0, 3),
        ([1.0, 1.1, 9.0, 1.2], False, "last", 3, 3),
        # a phase that is stopped has the best weights of its cycles, which are then the last ones
        ([1.0, 0.5, 0.1, 0.6], True, "last", 1, 3),
        ([1.0, 0.5, 0.1, 0.4], True, "last", 3, 3),
        # a tie is not worse, and the earlier of two equals is kept
        ([1.0, 1.0, 9.0, 1.2], False, "best", 0, 3),
    ],
)
def test_until_over_fitting(
    losses: list[float], stop: bool, keep: str, kept_epoch: int, n_epochs: int
) -> None:
    rule = StopRule("log_loss", stop, keep)  # type: ignore[arg-type]
    net = model()
    result = trainer(net).fit([phase(net, material=material(*losses))], rule)
    assert result.start == Scores(losses[0], 0.5)
    assert result.kept == Scores(losses[kept_epoch], 0.5)
    assert result.kept_phase == (0 if kept_epoch else None)
    assert (result.kept_epoch, len(result.epochs)) == (kept_epoch, n_epochs)
    assert result.stopped == (stop and kept_epoch < n_epochs)
    # the weights are those after the kept epochs of the same schedule
    again = model()
    full = phase(again)
    kept = replace(
        full, cycles=[1] * kept_epoch, schedule=lambda n: full.schedule(n)[: kept_epoch * n]
    )
    trainer(again).fit([kept])
    wanted, found = again.state_dict(), net.state_dict()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_the_score_can_be_monitored() -> None:
    rule = StopRule("score", stop=True, keep="best")
    net = model()
    told = iter([Scores(1, 0.5), Scores(2, 0.9), Scores(0, 0.8), Scores(0, 0.8)])
    judged = Material(source(), lambda: next(told))
    assert trainer(net).fit([phase(net, material=judged)], rule).kept_epoch == 1


@pytest.mark.parametrize(
    ("scores", "stopped", "kept_epoch", "n_epochs"),
    [
        ([0.5, 0.8, 0.8, 0.9], False, 3, 3),  # the tie goes on, and what follows is better
        ([0.5, 0.8, 0.8, 0.8], False, 1, 3),
        ([0.8, 0.8, 0.8, 0.8], False, 0, 3),  # the starting point is the earliest of equals
        ([0.5, 0.8, 0.8, 0.7], True, 1, 3),
        ([0.5, 0.8, 0.7, 0.7], True, 1, 2),
    ],
)
def test_a_tie_is_not_worse(
    scores: list[float], stopped: bool, kept_epoch: int, n_epochs: int
) -> None:
    told = iter([Scores(1.0, score) for score in scores])
    net, judged = model(), Material(source(), lambda: next(told))
    rule = StopRule("score", stop=True, keep="best")
    result = trainer(net).fit([phase(net, cycles=[1, 1, 1], material=judged)], rule, n_snapshots=3)
    assert (result.stopped, result.kept_epoch, len(result.epochs)) == (
        stopped,
        kept_epoch,
        n_epochs,
    )
    assert len(result.snapshots) == n_epochs - stopped  # a tie is a snapshot, what is worse is not
    assert result.kept == Scores(1.0, scores[kept_epoch])


@pytest.mark.parametrize(("begins", "kept_phase"), [(0.9, 0), (0.3, 1)])
def test_a_phase_of_another_size_is_compared_with_its_own_cycles(
    begins: float, kept_phase: int
) -> None:
    """Small: 1.0 -> 0.5. Large: 0.8 is no reason to stop, 0.85 is, and neither is kept.

    The network as small left it may be the best there is when judged at the large size.
    """
    net = model()
    small, large = material(1.0, 0.5), material(begins, 0.8, 0.85)
    phases = [
        phase(net, cycles=[1], material=small),
        phase(net, cycles=[1, 1], material=large),
    ]
    rule = StopRule("log_loss", stop=True, keep="best")
    result = trainer(net).fit(phases, rule)
    assert (len(result.epochs), result.stopped) == (3, True)
    assert (result.kept_epoch, result.kept_phase) == (1, kept_phase)
    again = model()
    trainer(again).fit([phase(again, cycles=[1])])
    assert torch.equal(net.state_dict()["2.weight"], again.state_dict()["2.weight"])


def test_a_phase_goes_on_from_the_best_of_the_one_that_was_stopped() -> None:
    net, judged = model(), material(1.0, 0.5, 0.6, 0.4)
    phases = [
        phase(net, cycles=[1, 1, 1], material=judged),
        phase(net, lr=0.01, cycles=[1], material=judged),
    ]
    rule = StopRule("log_loss", stop=True, keep="best")
    result = trainer(net).fit(phases, rule)
    assert [(e.epoch, e.phase) for e in result.epochs] == [(0, 0), (1, 0), (2, 1)]
    assert (result.kept_epoch, result.kept_phase) == (3, 1)


def test_a_cycle_of_the_head_alone_stops_no_training_of_more() -> None:
    """As a starting point: 0.5 of the head, then 0.6, and far better after it."""
    net, judged = model(), material(1.0, 0.5, 0.6, 0.4, 0.45)
    phases = [
        replace(phase(net, cycles=[1], material=judged), head_alone=True),
        phase(net, lr=0.01, cycles=[1, 1, 1], material=judged),
    ]
    result = trainer(net).fit(phases, StopRule("log_loss", stop=True, keep="best"))
    assert (len(result.epochs), result.kept_epoch, result.stopped) == (4, 3, True)


def test_a_phase_that_stops_at_once_has_the_kept_weights_as_snapshot() -> None:
    net, judged = model(), material(1.0, 0.5, 0.6)
    phases = [
        phase(net, cycles=[1], material=judged),
        phase(net, lr=0.01, cycles=[1, 1], material=judged),
    ]
    rule = StopRule("log_loss", stop=True, keep="best")
    result = trainer(net).fit(phases, rule, n_snapshots=2)
    assert (result.kept_epoch, result.stopped, result.snapshot_is_kept) == (1, True, True)
    [only] = result.snapshots
    assert all(torch.equal(only[name], tensor) for name, tensor in net.state_dict().items())


BOTH = StopRule("both", stop=True, keep="best")


def judged_by_itself(of: nn.Module) -> Material:
    """The features, judged by the objective on the very same features."""
    data = source()
    features, targets = (
        torch.from_numpy(np.asarray(data.features[0])),
        np.asarray(data.targets, np.int64),
    )

    def evaluate() -> Scores:
        of.eval()
        with torch.no_grad():
            return Objective("single_label").scores(of(features), targets)

    return Material(data, evaluate)


def a_trained_head() -> nn.Module:
    net = model()
    trainer(net).fit([phase(net, cycles=[8])])
    return net


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_first_cycle_that_ruins_the_head_ends_the_training(keep: str) -> None:
    net = a_trained_head()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    judged = judged_by_itself(net)
    phases = [
        phase(net, lr=100.0, cycles=[2, 1, 1], material=judged),
        phase(net, lr=0.01, cycles=[1], material=judged),
    ]
    rule = replace(BOTH, keep=keep)  # type: ignore[arg-type]
    result = trainer(net).fit(phases, rule, n_snapshots=2)
    assert (len(result.epochs), result.kept_epoch, result.kept_phase) == (2, 0, None)
    assert result.worse_first_cycle and not result.stopped
    assert (result.worse_first_cycle.before, result.kept) == (result.start, result.start)
    assert result.worse_first_cycle.after == result.epochs[-1].scores
    assert "log_loss" in result.worse_first_cycle.measures
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    [only] = result.snapshots
    assert all(torch.equal(before[name], tensor) for name, tensor in only.items())
    told = result.comparison("single_label", rule)
    assert told["worse_than_start"] is False
    assert told["worse_first_cycle"] == result.worse_first_cycle.named("single_label")


@pytest.mark.parametrize(
    ("lr", "rule"),
    [
        (0.01, BOTH),
        (100.0, replace(BOTH, stop=False)),
        (100.0, StopRule("log_loss", stop=True, keep="best")),
    ],
)
def test_otherwise_a_first_cycle_ends_nothing(lr: float, rule: StopRule) -> None:
    net = a_trained_head()
    judged = judged_by_itself(net)
    result = trainer(net).fit([phase(net, lr, [1, 1], material=judged)], rule)
    assert (len(result.epochs), result.worse_first_cycle) == (2, None)
    assert "worse_first_cycle" not in result.comparison("single_label", rule)


@pytest.mark.parametrize(("head_alone", "n_epochs"), [(True, 2), (False, 1)])
def test_the_first_cycle_is_the_first_of_more_than_the_head(
    head_alone: bool, n_epochs: int
) -> None:
    """The first phase ruins the head. Only if it trained more than that is the rest hopeless."""
    net = a_trained_head()
    judged = judged_by_itself(net)
    first = replace(phase(net, 100.0, [1], material=judged), head_alone=head_alone)
    result = trainer(net).fit([first, phase(net, 100.0, [1, 1], material=judged)], BOTH)
    assert len(result.epochs) == n_epochs
    assert result.worse_first_cycle is not None


def told(log_loss: float, n_wrong: int) -> Scores:
    """Scores of 100 pictures that all have this log loss."""
    right = np.ones(100)
    right[:n_wrong] = 0
    return Scores(log_loss, float(right.mean()), np.full(100, log_loss), right)


@pytest.mark.parametrize(
    ("scores", "n_epochs", "kept_epoch", "stopped"),
    [
        # log loss falls, and accuracy within noise: nothing is kept, and nothing is stopped
        ([told(0.5, 5), told(0.4, 6), told(0.3, 7), told(0.2, 9)], 3, 0, False),
        # the second cycle is worse than the first at both
        ([told(0.5, 5), told(0.4, 4), told(0.45, 4), told(0.3, 4)], 2, 1, True),
        # a higher accuracy within noise is not worse, and what follows is better
        ([told(0.5, 5), told(0.4, 4), told(0.45, 3), told(0.3, 3)], 3, 3, False),
        # accuracy beyond noise wins over log loss
        ([told(0.5, 25), told(0.4, 24), told(0.45, 10), told(0.42, 12)], 3, 2, False),
    ],
)
def test_both_measures_are_monitored(
    scores: list[Scores], n_epochs: int, kept_epoch: int, stopped: bool
) -> None:
    net, given = model(), iter(scores)
    judged = Material(source(), lambda: next(given))
    result = trainer(net).fit([phase(net, cycles=[1, 1, 1], material=judged)], BOTH)
    assert (len(result.epochs), result.kept_epoch, result.stopped) == (
        n_epochs,
        kept_epoch,
        stopped,
    )
    assert result.kept == scores[kept_epoch] and result.worse_first_cycle is None


@pytest.mark.parametrize(("begins", "n_epochs"), [(0.9, 3), (0.6, 1)])
def test_a_first_cycle_is_judged_at_its_own_size(begins: float, n_epochs: int) -> None:
    """At the size of the head 0.5; at the phase's own 0.9 or 0.6 before, and 0.8 after a cycle."""
    net = model()
    given = iter([told(begins, 5), told(0.8, 5), told(0.7, 5), told(0.6, 5)])
    small, full = Material(source(), lambda: next(given)), Material(source(), lambda: told(0.5, 5))
    result = trainer(net).fit([phase(net, cycles=[1, 1, 1], material=small)], BOTH, start=full)
    assert len(result.epochs) == n_epochs
    assert (result.kept_epoch, result.kept) == (0, told(0.5, 5))  # the best of all sizes


def test_without_a_valid_split_both_measures_end_nothing() -> None:
    net = model()
    result = trainer(net).fit([phase(net, lr=100.0, cycles=[1, 1])], BOTH)
    assert (len(result.epochs), result.kept_epoch, result.worse_first_cycle) == (2, 2, None)


def test_a_phase_starts_with_a_fresh_optimiser_and_epochs_count_on() -> None:
    net = model()
    result = trainer(net).fit([phase(net, cycles=[1]), phase(net, lr=0.01, cycles=[1])])
    assert [(e.epoch, e.phase, e.cycle, e.lr) for e in result.epochs] == [
        (0, 0, 0, 0.1),
        (1, 1, 1, 0.01),
    ]


def test_the_range_test_leaves_no_trace() -> None:
    net = model()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    random = torch.get_rng_state()
    curve = range_test(trainer(net), phase(net, lr=1.0), RANGE)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert len(curve.lrs) == len(curve.raw) == len(curve.smoothed) > 10
    assert curve.lrs == RANGE.lrs()[: len(curve.lrs)]


def test_the_range_test_is_deterministic_and_its_first_loss_is_the_start() -> None:
    nets = [model(), model()]
    curves = [range_test(trainer(net), phase(net, lr=1.0), RANGE) for net in nets]
    assert curves[0] == curves[1]


def test_the_range_test_stops_when_it_diverges_and_can_be_skipped() -> None:
    class Explodes:
        def epoch(
            self, epoch: int, batches: Sequence[Rows]
        ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for number, batch in enumerate(batches):
                scale, n = 1e6 if 4 * epoch + number == 12 else 1.0, len(batch.rows)
                yield torch.randn(n, D) * scale, torch.zeros(n, dtype=torch.long)

    net = nn.Linear(D, K)
    explosive = Material(Explodes(), evaluate=None)
    curve = range_test(trainer(net), phase(net, lr=1.0, material=explosive), RANGE)
    assert len(curve.lrs) < RANGE.n_iter
    none = RANGE.model_copy(update={"n_iter": 0})
    assert range_test(trainer(net), phase(net, lr=1.0), none).lrs == []
