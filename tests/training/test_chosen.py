"""The weights that valid chose, scored on pictures that did not choose them."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np
import pytest
from torch import nn

from headstart.labels.task import Task
from headstart.network.objective import Scores
from headstart.scores.metrics import Floats
from headstart.training.best_weights import BestWeights, Mark
from headstart.training.chosen import chosen_scores, kept_point
from headstart.training.material import Material
from headstart.training.outcome import FitResult, Point
from headstart.training.stop_rule import StopRule
from tests.training.test_fit import model, phase, source, trainer

ACCURACIES = [0.5, 0.7, 0.75, 0.8]
KEEPS = StopRule("score", stop=False, keep="best")
RULES = [
    StopRule(*values)  # type: ignore[arg-type]
    for values in product(("log_loss", "score", "both"), (False, True), ("best", "last"))
]


def judged(right: Sequence[float] | Floats, losses: Sequence[float] | Floats = ()) -> Scores:
    """Scores of pictures that are right (1) or wrong (0); without losses, by a loss for each."""
    scores = np.array(right, float)
    each = np.array(losses, float) if len(losses) else 2.0 - 1.5 * scores
    return Scores(float(each.mean()), float(scores.mean()), each, scores)


def drawn(rng: np.random.Generator, accuracy: float, n: int) -> Scores:
    """Scores of n pictures that are right by chance; the probability of the truth has some noise."""
    right = rng.random(n) < accuracy
    p_truth = np.where(right, 0.85, 0.15) + rng.normal(0, 0.05, n)
    return judged(right.astype(float), -np.log(p_truth.clip(0.01, 0.99)))


def points(*scores: Scores) -> list[Point]:
    """The starting point, and the end of a cycle of one epoch for each of the others."""
    ends = [Point(of, n, 0, ends_cycle=True) for n, of in enumerate(scores[1:], start=1)]
    return [Point(scores[0], 0, None), *ends]


def chosen(
    of: Sequence[Point], rule: StopRule, groups: Sequence[str], task: Task = "single_label"
) -> dict[str, float]:
    everything = np.ones(len(groups), bool)
    kept = of[kept_point(of, rule, everything)]
    return chosen_scores(FitResult(points=[*of], kept=kept.scores), rule, groups, task)


def ids(n: int) -> list[str]:
    return [f"{number:05}" for number in range(n)]


def test_each_fold_is_scored_by_what_the_others_choose() -> None:
    """One picture a fold. Of equals the earliest is kept, as in a training."""
    start, end = judged([1, 1, 1, 0, 0]), judged([0, 0, 1, 1, 1])
    # without one of the first two pictures the end is better, otherwise the start, or they are equal
    found = chosen(points(start, end), KEEPS, ids(5))
    assert found["accuracy"] == pytest.approx((0 + 0 + 1 + 0 + 0) / 5)
    assert (found["accuracy_claimed"], found["n_points"]) == (0.6, 2)
    assert found["accuracy_optimism"] == pytest.approx(0.4)
    assert found["log_loss"] == pytest.approx((2 + 2 + 0.5 + 2 + 2) / 5)
    assert found["log_loss_claimed"] == pytest.approx(1.1)
    assert found["log_loss_optimism"] == pytest.approx(0.6)


def test_pictures_of_one_group_choose_nothing_of_one_another() -> None:
    """Twins: alone they would be chosen by their twin."""
    rng, n = np.random.default_rng(0), 200
    right = np.repeat((rng.random((20, n // 2)) < 0.8).astype(float), 2, axis=1)
    all_points = points(*map(judged, right))
    apart = chosen(all_points, KEEPS, ids(n))
    together = chosen(all_points, KEEPS, [f"{number // 2:05}" for number in range(n)])
    assert together["accuracy"] < apart["accuracy"] <= together["accuracy_claimed"]


@pytest.mark.parametrize("rule", RULES)
def test_judged_by_all_pictures_the_point_is_what_the_training_kept(rule: StopRule) -> None:
    """Two phases of two sizes, three cycles each, the first of the head alone."""
    n = 60
    for seed in range(6):
        rng, net = np.random.default_rng(seed), model()
        told = partial(next, iter([drawn(rng, rng.choice(ACCURACIES), n) for _ in range(8)]))
        small, large = Material(source(), told), Material(source(), told)
        phases = [
            replace(phase(net, cycles=[1, 1, 1], material=small), head_alone=seed % 2 == 0),
            phase(net, cycles=[1, 1, 1], material=large),
        ]
        result = trainer(net).fit(phases, rule)
        kept = result.points[kept_point(result.points, rule, np.ones(n, bool))]
        assert (kept.epoch, kept.phase) == (result.kept_epoch, result.kept_phase)
        assert kept.scores is result.kept
        chooses = rule.stop or rule.keep == "best"
        assert bool(chosen_scores(result, rule, ids(n), "single_label")) == chooses


def test_others_may_stop_earlier_or_skip_the_rest_of_a_phase() -> None:
    """Pictures 0 and 1 are better after each epoch; 2 and 3 are worse after the second."""
    first = [judged(right) for right in ([0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0])]
    run, stops = points(*first), replace(KEEPS, stop=True)
    front, back = (np.array(rows, bool) for rows in ([1, 1, 0, 0], [0, 0, 1, 1]))
    assert [kept_point(run, KEEPS, rows) for rows in (front, back)] == [2, 1]
    later = Point(judged([1, 1, 1, 1]), 4, 1, ends_cycle=True)
    assert [kept_point([*run, later], stops, rows) for rows in (front, back)] == [2, 1]
    better = Point(judged([1, 1, 1, 1]), 4, 0, ends_cycle=True)
    middle = np.array([1, 0, 1, 1], bool)
    assert kept_point([*run, better], KEEPS, middle) == 4
    one_worse = points(*first[:2], judged([0, 1, 1, 0]), *first[3:])
    assert kept_point([*one_worse, better], stops, back) == 1, "the phase ended after the second"
    last = replace(stops, keep="last")
    assert kept_point(one_worse, last, back) == 1, "a phase that is stopped has its best weights"
    assert kept_point(one_worse, replace(last, stop=False), back) == 3


def test_a_first_cycle_that_is_worse_for_the_others_ends_their_training() -> None:
    rule = StopRule("both", stop=True, keep="best")
    run = points(judged(np.ones(20)), judged(np.r_[np.zeros(10), np.ones(10)]), judged(np.ones(20)))
    run[2] = replace(run[2], scores=judged(np.ones(20), np.zeros(20)))
    assert kept_point(run, rule, np.arange(20) < 10) == 0
    assert kept_point(run, rule, np.arange(20) >= 10) == 2


def test_where_valid_chooses_nothing_there_is_no_figure() -> None:
    run = points(judged([1, 0, 1, 0, 1]), judged([1, 1, 1, 1, 1]))
    keeps_last = StopRule("score", stop=False, keep="last")
    assert not chosen(run, keeps_last, ids(5))
    assert not chosen(run, KEEPS, ["a", "b", "c", "d", "d"])
    assert not chosen_scores(FitResult(), KEEPS, [], "single_label")
    found = chosen(run, KEEPS, ids(5), "multi_label")
    assert {"f2", "f2_claimed", "f2_optimism"} < found.keys() and "accuracy" not in found


def by_chance(rng: np.random.Generator, rule: StopRule, n: int, n_cycles: int) -> FitResult:
    """A training that changes nothing: at each point 0.8 of all pictures of the world are right."""
    result, best = FitResult(), BestWeights(nn.Module(), rule)
    for epoch in range(n_cycles + 1):
        point = Point(drawn(rng, 0.8, n), epoch, 0 if epoch else None, ends_cycle=epoch > 0)
        result.points.append(point)
        if best.judge(point):
            break
    result.kept = best.kept.point.scores if best.kept else result.points[-1].scores
    return result


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize("monitor", ["log_loss", "score", "both"])
def test_the_optimism_of_an_epoch_that_valid_chose_is_seen(
    monitor: Literal["log_loss", "score", "both"], stop: bool, figures: Callable[[str], None]
) -> None:
    """Early stopping has few points, the last one bad by chance; so the figure is a bit too low."""
    rule, n = StopRule(monitor, stop, "best"), 200
    found = [
        chosen_scores(
            by_chance(np.random.default_rng(seed), rule, n, 20), rule, ids(n), "single_label"
        )
        for seed in range(120)
    ]
    mean: dict[str, Any] = {name: np.mean([values[name] for values in found]) for name in found[0]}
    assert mean["accuracy_claimed"] > (0.82 if stop else 0.845)
    assert abs(mean["accuracy"] - 0.8) < 0.012
    assert mean["log_loss_claimed"] < 0.5 < mean["log_loss"]
    figures(
        f"{monitor}{', stop_when_worse' * stop}: best of {mean['n_points']:.0f} epochs of "
        f"accuracy 0.800: claimed {mean['accuracy_claimed']:.3f}, cross-fitted {mean['accuracy']:.3f}"
    )


def test_pictures_cost_16_bytes_each_at_the_points_alone() -> None:
    """What a state holds: no epoch within a cycle, and nothing twice."""
    n, net, rng = 20_000, model(), np.random.default_rng(0)
    judge = Material(source(), lambda: drawn(rng, 0.8, n))
    result = trainer(net).fit([phase(net, cycles=[1, 4], material=judge)], KEEPS)
    assert [len(epoch.scores.scores) for epoch in result.epochs if epoch.scores] == [0] * 5
    assert len(result.points) == 3
    arrays = [array for p in result.points for array in (p.scores.scores, p.scores.log_losses)]
    assert sum(array.nbytes for array in arrays) == 3 * 16 * n
    whole = len(pickle.dumps((result, Mark(result.points[1], {}))))
    assert whole < 1.01 * 3 * 16 * n
