"""A whole sweep: the trials, then the best of them and params.yaml with other seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headstart.network.objective import Scores
from headstart.sweeping.comparison import Gain, Repeats, gain
from headstart.sweeping.objective import CachedSet, HeadParamsOfAll
from headstart.sweeping.outcome import Limits, Outcome, train_trial
from headstart.sweeping.settings import Settings, with_settings
from headstart.sweeping.space import Dimension, Range
from headstart.sweeping.study import Study, Trial
from headstart.sweeping.trainings import Trainings
from headstart.training.divergence import DivergedError

N_BEST, N_SEEDS = 5, 3
OTHER_SEEDS = range(1, N_SEEDS + 1)
"""Added to the seeds of params.yaml for the repeats; no trial was trained with them."""

Bar = Callable[..., Iterator[Any]]
"""As `Report.progress`: shows how many of the items are done."""


@dataclass(frozen=True)
class Found:
    """What a sweep found.

    Attributes:
        space: what was searched.
        trials: all, params.yaml first.
        n_new: how many of them this call trained.
        repeats: params.yaml, then the best trials by their mean over the other seeds; last come those
            that diverged with one.
        importances: key -> its part in the result, largest first; empty after few trials.
        gain: of the best over params.yaml; None where either side has no mean.
    """

    space: Sequence[Dimension]
    trials: Sequence[Trial]
    n_new: int
    repeats: Sequence[Repeats]
    importances: Mapping[str, float]
    gain: Gain | None

    @property
    def best(self) -> Trial:
        """The best by its mean; params.yaml where no other trial has one."""
        return self.compared[0].trial if self.compared else self.repeats[0].trial

    @property
    def compared(self) -> list[Repeats]:
        """The best trials that diverged with no seed."""
        return [repeats for repeats in self.repeats[1:] if not repeats.diverged]

    def at_an_end(self) -> list[Range]:
        """Ranges at whose lowest or highest value the best trial lies."""
        ranges = [d for d in self.space if isinstance(d, Range) and d.key in self.best.settings]
        return [d for d in ranges if self.best.settings[d.key] in (d.low, d.high)]


def search(
    study: Study, n: int, cached: CachedSet, trainings: Trainings, values: Mapping[str, Any],
    path: Path, bar: Bar,
) -> Found:  # fmt: skip
    """Bring the study to `n` trials, then train the best and params.yaml with other seeds.

    Args:
        study: perhaps with trials of an earlier call.
        n: trials in all, at least 1.
        cached: what they train on.
        trainings: of the same set; their number of processes decides no result.
        values: the sections of params.yaml.
        path: of params.yaml, for messages.
        bar: shows the progress.

    Raises:
        HeadstartError: params.yaml diverges with its own seeds, or settings contradict each other.
    """

    def params(settings: Settings) -> HeadParamsOfAll:
        return HeadParamsOfAll.of(with_settings(values, settings), path)

    def start(settings: Settings, limits: Limits) -> Callable[[], Outcome]:
        return trainings.later(train_trial, params(settings), limits, measure)

    def best_so_far(_: Trial) -> dict[str, float]:
        best = min(study.trials(), key=lambda trial: trial.loss(measure))
        return {"best": best.number, measure: abs(best.loss(measure))}

    measure, n_before = study.measure, len(study.trials())
    n_new = max(n - n_before, 0)
    for _ in bar(study.run(n, start), n_new, "trials", best_so_far):
        pass
    present, *others = study.trials()
    others = sorted(others, key=lambda trial: trial.loss(measure))[:N_BEST]
    again = [present, *(trial for trial in others if trial.log_loss is not None)]
    first, *best = _repeated(again, trainings, params, bar)
    best.sort(key=lambda repeats: repeats.loss(measure))
    found = Found(study.space, study.trials(), n_new, [first, *best], study.importances(), None)
    if first.diverged or not found.compared:
        return found
    won = gain(found.compared[0], first, measure, _groups(cached), len(found.compared))
    return replace(found, gain=won)


def _repeated(
    trials: Sequence[Trial], trainings: Trainings, params: Callable[[Settings], HeadParamsOfAll],
    bar: Bar,
) -> list[Repeats]:  # fmt: skip
    """Train each of `trials` with the other seeds."""
    plan = [(trial, number) for trial in trials for number in OTHER_SEEDS]
    started = [
        trainings.later(CachedSet.train, params(trial.settings).other_seed(number))
        for trial, number in plan
    ]
    scores: dict[int, list[Scores]] = {trial.number: [] for trial in trials}
    diverged: dict[int, str] = {}
    for (trial, _), trained in bar(zip(plan, started, strict=True), len(plan), "repeats"):
        try:
            scores[trial.number].append(trained())
        except DivergedError as error:
            diverged[trial.number] = str(error)
    return [
        Repeats(trial, scores[trial.number], diverged.get(trial.number, "")) for trial in trials
    ]


def _groups(cached: CachedSet) -> list[str]:
    """The group of each labelled picture of valid."""
    table = cached.labels.table.set_index("id")
    return [str(group) for group in table.loc[cached.labels.labelled("valid"), "group"]]
