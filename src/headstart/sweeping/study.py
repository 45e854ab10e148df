"""The trials of a sweep, kept in optuna's journal: an interrupted sweep goes on where it stopped."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from headstart.backbone.seeding import key_seed
from headstart.network.objective import Scores
from headstart.project.errors import HeadstartError
from headstart.sweeping.objective import HopelessError, Judge, Measure
from headstart.sweeping.settings import Settings, value_at
from headstart.sweeping.space import Dimension, Range
from headstart.training.divergence import DivergedError

if TYPE_CHECKING:
    import optuna

N_RANDOM = 10
"""The first trials are drawn at random, and none of them is ended early."""

BEST_PART = 0.25
"""The part of the trials that were trained to their end whose values show what matters."""

Train = Callable[[Settings, Judge], Sequence[Scores]]
"""Trains with settings that differ from params.yaml, with one seed or several; tells the judge of each
quarter of the first one. Returns the scores of each seed."""


def require_optuna() -> None:
    """Raise a HeadstartError unless optuna is installed."""
    if find_spec("optuna") is None:
        raise HeadstartError(
            "A sweep needs optuna, which this environment lacks: pip install 'headstart[sweep]', or "
            "pip install -e '.[sweep]' in a clone."
        )


@dataclass(frozen=True)
class Trial:
    """One training that has ended.

    Attributes:
        number: 0 is params.yaml as it is.
        settings: what differs from params.yaml.
        log_loss: of valid at the end, in nats, the mean over its seeds; None if it was ended early.
        score: accuracy (F2 of many labels) of valid at the end, likewise.
        seconds: that it took.
        n_seeds: it was trained with.
        diverged: whether its loss was not finite any more.
    """

    number: int
    settings: Settings
    log_loss: float | None
    score: float | None
    seconds: float
    n_seeds: int = 1
    diverged: bool = False

    def loss(self, measure: Measure) -> float:
        """What is lower for a better trial; infinite for one that was ended early."""
        if self.log_loss is None or self.score is None:
            return float("inf")
        return self.log_loss if measure == "log_loss" else -self.score


class Study:
    """The trials of one space, in one folder.

    The number of trials that have ended decides what is drawn next, so a sweep in two parts draws
    what one in a single part does.
    """

    def __init__(
        self, folder: Path, space: Sequence[Dimension], values: Mapping[str, Any],
        measure: Measure, seed: int,
    ) -> None:  # fmt: skip
        """Open the journal in `folder`, or begin one.

        Args:
            folder: exists; its name stands for all that shapes a result.
            space: what is searched.
            values: the sections of params.yaml.
            measure: what trials are judged by.
            seed: of the draws.

        Raises:
            HeadstartError: optuna is not installed.
        """
        require_optuna()
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space, self.measure, self._seed = space, measure, seed
        self._present = {
            dimension.key: value_at(values, dimension.key)
            for dimension in space
            if dimension.holds(value_at(values, dimension.key))
        }
        self._study = optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal"))),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=N_RANDOM),
            study_name="sweep",
            load_if_exists=True,
        )
        for trial in self._study.get_trials(deepcopy=False):
            if not trial.state.is_finished():  # of a process that was killed
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def trials(self) -> list[Trial]:
        """All that have ended, in order."""
        return [self._read(number, trial) for number, trial in enumerate(self._ended())]

    def run(self, n: int, train: Train) -> Iterator[Trial]:
        """Train until `n` trials have ended, those of earlier calls included; yield each new one.

        The first is params.yaml as it is. A trial that is worse than half of the others at a quarter of
        its epochs is ended.
        """
        if not self._ended() and n:
            self._first(train)
            yield self.trials()[-1]
        while len(self._ended()) < n:
            self._next(train)
            yield self.trials()[-1]

    def importances(self) -> dict[str, float]:
        """How much each key decided whether a trial was among the best quarter; the sum is 1.

        Empty where too few trials were trained to their end.

        Source: Watanabe, Bansal and Hutter, PED-ANOVA, arXiv 2304.10255.
        """
        import optuna

        complete = optuna.trial.TrialState.COMPLETE
        done = self._study.get_trials(deepcopy=False, states=[complete])
        if len({trial.value for trial in done}) < N_RANDOM:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST_PART)
        with warnings.catch_warnings():  # that a value was tried in few trials
            warnings.simplefilter("ignore")
            found: dict[str, float] = optuna.importance.get_param_importances(
                self._study, evaluator=evaluator
            )
        return found

    def _first(self, train: Train) -> None:
        """Train with params.yaml as it is; values outside of the space are left out of the record."""
        import optuna

        seen: dict[int, float] = {}

        def judge(mark: int, log_loss: float, score: float) -> None:
            seen[mark] = self._loss(log_loss, score)

        started = time.monotonic()
        scores = train({}, judge)
        told = _attributes(scores, time.monotonic() - started)
        kinds = {d.key: _distribution(d) for d in self.space if d.key in self._present}
        self._study.add_trial(
            optuna.trial.create_trial(
                value=self._loss(told["log_loss"], told["score"]),
                params=self._present,
                distributions=kinds,
                user_attrs=told,
                intermediate_values=seen,
            )
        )

    def _next(self, train: Train) -> None:
        import optuna

        seed = key_seed(self._seed, "sweep", len(self._ended())) % 2**32
        self._study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=N_RANDOM)
        trial = self._study.ask({d.key: _distribution(d) for d in self.space})
        settings = {d.key: d.tried(trial.params[d.key]) for d in self.space}

        def judge(mark: int, log_loss: float, score: float) -> None:
            trial.report(self._loss(log_loss, score), mark)
            if trial.should_prune():
                raise HopelessError

        started = time.monotonic()
        attributes: dict[str, Any] = {}
        state: optuna.trial.TrialState | None = None
        try:
            scores = train(settings, judge)
        except (HopelessError, DivergedError) as error:
            attributes = {"diverged": isinstance(error, DivergedError)}
            attributes["seconds"] = time.monotonic() - started
            value = None
            state = optuna.trial.TrialState.PRUNED
        else:
            attributes = _attributes(scores, time.monotonic() - started)
            value = self._loss(attributes["log_loss"], attributes["score"])
        for name, attribute in attributes.items():
            trial.set_user_attr(name, attribute)
        self._study.tell(trial, value, state)

    def _loss(self, log_loss: float, score: float) -> float:
        return log_loss if self.measure == "log_loss" else -score

    def _ended(self) -> "list[optuna.trial.FrozenTrial]":
        """All but those that a killed process left."""
        import optuna

        states = [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED]
        ended: list[optuna.trial.FrozenTrial]
        ended = self._study.get_trials(deepcopy=False, states=states)
        return ended

    def _read(self, number: int, trial: "optuna.trial.FrozenTrial") -> Trial:
        settings = {d.key: d.tried(trial.params[d.key]) for d in self.space if number}
        known = trial.user_attrs
        return Trial(
            number, settings, known.get("log_loss"), known.get("score"), known["seconds"],
            known.get("n_seeds", 1), known.get("diverged", False),
        )  # fmt: skip


def _attributes(scores: Sequence[Scores], seconds: float) -> dict[str, Any]:
    return {
        "log_loss": fmean(of.log_loss for of in scores),
        "score": fmean(of.score for of in scores),
        "seconds": round(seconds, 3),
        "n_seeds": len(scores),
    }


def _distribution(dimension: Dimension) -> "optuna.distributions.BaseDistribution":
    import optuna

    if not isinstance(dimension, Range):
        return optuna.distributions.CategoricalDistribution(dimension.values)
    if dimension.whole:
        return optuna.distributions.IntDistribution(
            int(dimension.low), int(dimension.high), log=dimension.log
        )
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)
