"""The trials: drawn from a seed, kept in a journal, ended early where they are hopeless."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from headstart.project.errors import HeadstartError
from headstart.sweeping import study as module
from headstart.sweeping.objective import Measure
from headstart.sweeping.outcome import Limits, Outcome
from headstart.sweeping.settings import Settings
from headstart.sweeping.space import Choices, Dimension, Range
from headstart.sweeping.study import IN_FLIGHT, N_RANDOM, Start, Study, Trial, require_optuna

needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna")
VALUES = {"head": {"width": 3, "kind": "b", "rate": 0.0}}
SPACE: list[Dimension] = [
    Range("head.width", 1, 9),
    Choices("head.kind", ("a", "b")),
    Range("head.rate", 1e-4, 1e-1),  # without the present 0
]


def trained(settings: Settings, limits: Limits, measure: Measure = "log_loss") -> Outcome:
    """Best at width 7, whatever the kind; a rate above 0.05 diverges."""
    width, rate = float(settings.get("head.width", 3)), float(settings.get("head.rate", 0.0))
    if rate > 0.05:
        return Outcome([], {}, 0.1, "the loss is nan")
    loss, seen = (width - 7) ** 2 / 100 + rate, {}
    for mark in (1, 2, 3):
        seen[mark] = loss + 1 / mark - (measure == "score")
        if seen[mark] > limits.hopeless.get(mark, float("inf")):
            return Outcome([], seen, 0.1)
    return Outcome([(loss + shift, 1 - loss - shift) for shift in (-0.01, 0.01)], seen, 0.1)


def start(settings: Settings, limits: Limits) -> Callable[[], Outcome]:
    return partial(trained, settings, limits)


def study(folder: Path, measure: Measure = "log_loss", seed: int = 0) -> Study:
    folder.mkdir(exist_ok=True)
    return Study(folder, SPACE, VALUES, measure, seed)


def told(trials: list[Trial]) -> list[tuple[object, ...]]:
    return [(t.number, dict(t.settings), t.log_loss, t.score, t.diverged) for t in trials]


@needs_optuna
@pytest.mark.parametrize("measure", ["log_loss", "score"])
def test_the_first_is_as_it_is_and_the_best_is_found(tmp_path: Path, measure: Measure) -> None:
    found = study(tmp_path, measure)
    trials = list(
        found.run(40, lambda settings, limits: lambda: trained(settings, limits, measure))
    )
    assert trials == found.trials() and [trial.number for trial in trials] == list(range(40))
    assert trials[0].settings == {} and trials[0].log_loss == pytest.approx(0.16)
    assert trials[0].score == pytest.approx(0.84) and trials[0].n_seeds == 2
    best = min(trials, key=lambda trial: trial.loss(measure))
    assert best.settings["head.width"] == 7
    early = [trial for trial in trials if trial.log_loss is None]
    assert {trial.diverged for trial in early} == {True, False}
    assert all(trial.diverged for trial in early if trial.number < N_RANDOM)
    assert all(trial.loss(measure) == float("inf") for trial in early)
    importances = found.importances()
    assert next(iter(importances)) != "head.kind" and sum(importances.values()) == pytest.approx(1)


@needs_optuna
def test_a_sweep_in_two_parts_is_one_in_one_part(tmp_path: Path) -> None:
    whole = list(study(tmp_path / "whole").run(25, start))
    first = list(study(tmp_path / "parts").run(12, start))
    rest = list(study(tmp_path / "parts").run(25, start))
    assert told(first + rest) == told(whole)
    assert list(study(tmp_path / "parts").run(25, start)) == []
    other = list(study(tmp_path / "other", seed=1).run(25, start))
    assert told(other) != told(whole)


@needs_optuna
def test_trials_in_flight_decide_nothing_however_early_they_end(tmp_path: Path) -> None:
    """Ended at once, or when they are wanted: the draws and the limits are the same."""

    def at_once(settings: Settings, limits: Limits) -> Callable[[], Outcome]:
        given.append(limits)
        outcome = trained(settings, limits)
        return lambda: outcome

    def when_wanted(settings: Settings, limits: Limits) -> Callable[[], Outcome]:
        given.append(limits)
        return start(settings, limits)

    found = []
    for name, begin in (("at once", at_once), ("when wanted", when_wanted)):
        given: list[Limits] = []
        found.append((told(list(study(tmp_path / name).run(25, begin))), given))
    assert found[0] == found[1]
    limits = found[0][1]
    assert limits[: 1 + IN_FLIGHT - 1] == [Limits()] * IN_FLIGHT
    assert all(0 < limit.promising < float("inf") for limit in limits[IN_FLIGHT:])
    assert not limits[N_RANDOM].hopeless and set(limits[-1].hopeless) == {1, 2, 3}


@needs_optuna
def test_a_trial_that_was_interrupted_counts_for_nothing(tmp_path: Path) -> None:
    def interrupted(settings: Settings, limits: Limits) -> Callable[[], Outcome]:
        def result() -> Outcome:
            if settings:
                raise KeyboardInterrupt
            return trained(settings, limits)

        return result

    with pytest.raises(KeyboardInterrupt):
        list(study(tmp_path / "parts").run(25, interrupted))
    assert len(study(tmp_path / "parts").trials()) == 1
    rest = list(study(tmp_path / "parts").run(25, start))
    assert [trial.number for trial in rest] == list(range(1, 25))
    assert told(rest) == told(list(study(tmp_path / "whole").run(25, start)))[1:]


@needs_optuna
def test_few_trials_say_nothing_of_importance(tmp_path: Path) -> None:
    found = study(tmp_path)
    list(found.run(4, start))
    assert found.importances() == {}


@needs_optuna
def test_params_that_diverge_as_they_are_are_told(tmp_path: Path) -> None:
    diverges: Start = lambda settings, limits: lambda: Outcome([], {}, 0.1, "the loss is nan")  # noqa: E731
    with pytest.raises(HeadstartError, match="the loss is nan"):
        list(study(tmp_path).run(3, diverges))


@needs_optuna
def test_where_a_further_seed_diverges_only_params_yaml_has_scores(tmp_path: Path) -> None:
    wild: Start = lambda settings, limits: lambda: Outcome([(0.5, 0.8)], {}, 0.1, "nan")  # noqa: E731
    first, second = study(tmp_path).run(2, wild)
    assert (first.log_loss, first.score, first.n_seeds, first.diverged) == (0.5, 0.8, 1, True)
    assert (second.log_loss, second.score, second.diverged) == (None, None, True)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(HeadstartError, match=r"needs optuna, .* pip install 'headstart\[sweep\]'"):
        require_optuna()
