"""A whole sweep on generated features, and its figure."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from headstart.project.files import write_figure
from headstart.sweeping.comparison import Repeats
from headstart.sweeping.figure import sweep_figure
from headstart.sweeping.objective import HeadParamsOfAll, mean_loss
from headstart.sweeping.outcome import SEEDS_OF_BEST
from headstart.sweeping.search import N_BEST, OTHER_SEEDS, Found, search
from headstart.sweeping.settings import with_settings
from headstart.sweeping.space import Choices, Dimension, Range, default_space
from headstart.sweeping.study import Study, Trial
from headstart.sweeping.trainings import Trainings
from tests.sweeping.generated import PARAMS, WHY, cached_set, diverge, values

pytestmark = pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna")
CACHED = cached_set()


def bar(items: Iterator[Any], n: int, label: str, shown: Any = None) -> Iterator[Any]:
    for item in items:
        if shown:
            assert set(shown(item)) == {"best", "log_loss"}
        yield item


def open_study(folder: Path) -> Study:
    return Study(folder, default_space(values(), CACHED.class_sizes()), values(), "log_loss", 0)


def found_by(folder: Path, n: int, n_processes: int = 1) -> Found:
    with Trainings(cached_set, n_processes) as trainings:
        return search(open_study(folder), n, CACHED, trainings, values(), PARAMS, bar)


def params_of(trial: Trial) -> HeadParamsOfAll:
    return HeadParamsOfAll.of(with_settings(values(), trial.settings), PARAMS)


def test_the_best_are_repeated_beside_the_present_params(tmp_path: Path) -> None:
    found = found_by(tmp_path, 16)
    assert (len(found.trials), found.n_new) == (16, 16)
    first, *best = found.repeats
    assert first.trial == found.trials[0] and len(best) == N_BEST
    means = [repeats.loss("log_loss") for repeats in best]
    assert means == sorted(means) and found.best == best[0].trial and found.gain
    assert {trial.n_seeds for trial in found.trials} >= {1, 3}
    assert all(repeats.trial.n_seeds == 3 for repeats in best[:1])
    assert found.gain.mean == pytest.approx(first.loss("log_loss") - means[0])
    for repeats in found.repeats:
        params = params_of(repeats.trial)
        own = [0, *SEEDS_OF_BEST][: repeats.trial.n_seeds]
        again = [CACHED.train(params.other_seed(number)) for number in own]
        assert mean_loss(again, "log_loss") == pytest.approx(repeats.trial.log_loss)
        of_seeds = [CACHED.train(params.other_seed(k)).log_loss for k in OTHER_SEEDS]
        assert repeats.of_seeds("log_loss") == of_seeds


def test_the_number_of_processes_decides_no_result(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    """Nor does it matter that some of the trials were trained by an earlier call."""
    n_threads, found = torch.get_num_threads(), []
    for n_processes in (1, 2):
        folder = tmp_path / str(n_processes)
        folder.mkdir()
        if n_processes == 2:
            found_by(folder, 3)
        whole = found_by(folder, 14, n_processes)
        trials = [replace(trial, seconds=0) for trial in whole.trials]
        found.append((trials, [repeats.of_seeds("log_loss") for repeats in whole.repeats]))
    assert found[0] == found[1] and torch.get_num_threads() == n_threads
    figures("14 trials in 1 process and in 2: the same settings and scores, to the bit")


def test_a_best_trial_that_diverges_with_another_seed_drops_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = found_by(tmp_path, 8)
    diverge(monkeypatch, params_of(before.best).other_seed(2))
    found = found_by(tmp_path, 8)
    first, best, *rest, last = (repeats.trial for repeats in before.repeats)
    assert [repeats.trial for repeats in found.repeats] == [first, *rest, last, best]
    assert [repeats.diverged for repeats in found.repeats] == [""] * N_BEST + [WHY]
    assert len(found.repeats[-1].scores) == 2 and found.best == rest[0] and found.gain
    losses = [repeats.loss("log_loss") for repeats in found.repeats]
    assert found.gain.mean == pytest.approx(losses[0] - losses[1]) and losses[-1] == float("inf")


def test_params_yaml_that_diverges_with_other_seeds_has_no_gain_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = HeadParamsOfAll.of(values(), PARAMS)
    diverge(monkeypatch, *(present.other_seed(k) for k in (OTHER_SEEDS[0], SEEDS_OF_BEST[0])))
    found = found_by(tmp_path, 6)
    assert found.trials[0].diverged and found.trials[0].n_seeds == 1
    assert found.trials[0].log_loss == pytest.approx(CACHED.train(present).log_loss)
    assert found.repeats[0].diverged == WHY and found.gain is None
    assert found.best == found.repeats[1].trial and not found.repeats[1].diverged


def test_without_a_trial_that_ended_the_present_params_stay(tmp_path: Path) -> None:
    found = found_by(tmp_path, 1)
    assert found.gain is None and found.best == found.trials[0] and not found.importances


def test_a_best_value_at_an_end_of_its_range_is_known() -> None:
    space: list[Dimension] = [Range("a", 1, 6), Range("b", 0.1, 0.2), Choices("c", (1, 2))]
    first, best = (
        Repeats(Trial(n, settings, 1.0, 0.5, 1.0), [])
        for n, settings in enumerate([{}, {"a": 6, "b": 0.15, "c": 1}])
    )
    found = Found(space, [first.trial, best.trial], 2, [first, best], {}, None)
    assert found.at_an_end() == space[:1]


def test_the_figure_shows_numbers_and_words(tmp_path: Path) -> None:
    trials = [
        Trial(n, {"balance": "none" if n % 2 else "weights", "lr": 10.0**-n}, 0.5 / n, 0.9, 1.0)
        for n in range(1, 5)
    ]
    trials.append(Trial(5, {"balance": "none", "lr": 1.0}, None, None, 1.0))
    space: list[Dimension] = [Choices("balance", ("none", "weights")), Range("lr", 1e-5, 1.0)]
    figure = sweep_figure({"lr": 0.7, "balance": 0.3}, trials, trials[3], space, "5 trials")
    bars, of_lr, of_balance = cast("Any", figure.axes)
    assert [patch.get_width() for patch in bars.patches] == [30.0, 70.0]
    assert of_lr.get_xscale() == "log" and of_balance.get_xscale() == "linear"
    assert [len(points.get_offsets()) for points in of_lr.collections] == [4, 1]
    assert [label.get_text() for label in of_balance.get_xticklabels()] == ["none", "weights"]
    write_figure(tmp_path / "sweep.png", figure)
    assert (tmp_path / "sweep.png").stat().st_size > 10_000
