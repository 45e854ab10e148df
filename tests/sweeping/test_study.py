"""The trials: drawn from a seed, kept in a journal, ended early where they are hopeless."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from headstart.network.objective import Scores
from headstart.project.errors import HeadstartError
from headstart.sweeping import study as module
from headstart.sweeping.objective import Judge, Measure
from headstart.sweeping.settings import Settings
from headstart.sweeping.space import Choices, Dimension, Range
from headstart.sweeping.study import N_RANDOM, Study, Trial, require_optuna
from headstart.training.divergence import DivergedError

needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna")
VALUES = {"head": {"width": 3, "kind": "b", "rate": 0.0}}
SPACE: list[Dimension] = [
    Range("head.width", 1, 9),
    Choices("head.kind", ("a", "b")),
    Range("head.rate", 1e-4, 1e-1),  # without the present 0
]


def train(settings: Settings, judge: Judge) -> list[Scores]:
    """Best at width 7, whatever the kind; a rate above 0.05 diverges."""
    width, rate = float(settings.get("head.width", 3)), float(settings.get("head.rate", 0.0))
    if rate > 0.05:
        raise DivergedError("the loss is nan")
    loss = (width - 7) ** 2 / 100 + rate
    for mark in (1, 2, 3):
        judge(mark, loss + 1 / mark, 1 - loss - 1 / mark)
    return [Scores(loss + shift, 1 - loss - shift) for shift in (-0.01, 0.01)]


def study(folder: Path, measure: Measure = "log_loss", seed: int = 0) -> Study:
    folder.mkdir(exist_ok=True)
    return Study(folder, SPACE, VALUES, measure, seed)


def told(trials: list[Trial]) -> list[tuple[object, ...]]:
    return [(t.number, dict(t.settings), t.log_loss, t.score, t.diverged) for t in trials]


@needs_optuna
@pytest.mark.parametrize("measure", ["log_loss", "score"])
def test_the_first_is_as_it_is_and_the_best_is_found(tmp_path: Path, measure: Measure) -> None:
    found = study(tmp_path, measure)
    trials = list(found.run(40, train))
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
    whole = list(study(tmp_path / "whole").run(25, train))
    first = list(study(tmp_path / "parts").run(12, train))
    rest = list(study(tmp_path / "parts").run(25, train))
    assert told(first + rest) == told(whole)
    assert list(study(tmp_path / "parts").run(25, train)) == []
    other = list(study(tmp_path / "other", seed=1).run(25, train))
    assert told(other) != told(whole)


@needs_optuna
def test_a_trial_that_was_interrupted_counts_for_nothing(tmp_path: Path) -> None:
    def interrupted(settings: Settings, judge: Judge) -> list[Scores]:
        if settings:
            raise KeyboardInterrupt
        return train(settings, judge)

    with pytest.raises(KeyboardInterrupt):
        list(study(tmp_path / "parts").run(25, interrupted))
    assert len(study(tmp_path / "parts").trials()) == 1
    rest = list(study(tmp_path / "parts").run(25, train))
    assert [trial.number for trial in rest] == list(range(1, 25))


@needs_optuna
def test_few_trials_say_nothing_of_importance(tmp_path: Path) -> None:
    found = study(tmp_path)
    list(found.run(4, train))
    assert found.importances() == {}


@needs_optuna
def test_params_that_diverge_as_they_are_are_told(tmp_path: Path) -> None:
    def diverges(settings: Settings, judge: Judge) -> list[Scores]:
        raise DivergedError("the loss is nan")

    with pytest.raises(DivergedError):
        list(study(tmp_path).run(3, diverges))


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(HeadstartError, match=r"needs optuna, .* pip install 'headstart\[sweep\]'"):
        require_optuna()
