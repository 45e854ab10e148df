"""The trials of a sweep, kept in optuna's journal: an interrupted sweep goes on where it stopped."""

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from headstart.backbone.seeding import key_seed
from headstart.project.errors import HeadstartError
from headstart.sweeping.objective import MARKS, Measure
from headstart.sweeping.outcome import Limits, Outcome
from headstart.sweeping.settings import Settings, value_at
from headstart.sweeping.space import Dimension, Range

if TYPE_CHECKING:
    import optuna

N_RANDOM = 10
"""The first trials are drawn at random, and none of them is ended early."""

BEST_PART = 0.25
"""The part of the trials that were trained to their end whose values show what matters."""

IN_FLIGHT = 4
"""Trials that are trained at a time, or wait for a core. Each ignores the 3 just before it, which may
still be running, so that neither timing nor the number of processes changes a result."""

PROMISING = 4
"""A trial is promising as long as it is in the best one of so many parts of those before it."""

Start = Callable[[Settings, Limits], Callable[[], Outcome]]
"""Begins a trial with settings that differ from params.yaml; what it returns waits for its end."""


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
        diverged: whether its loss was not finite any more, with one of its seeds. Then only params.yaml
            has a mean, over the seeds before.
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

    Each trial is drawn by the earlier ones, without the three just before it. So a sweep in two parts,
    or with another number of processes, draws what one in a single part does.
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
            study_name="sweep",
            load_if_exists=True,
        )
        self._known = optuna.create_study()  # in memory: what the next draw knows
        self._n_known = 0

    def trials(self) -> list[Trial]:
        """All that have ended, in order."""
        return [self._read(number, trial) for number, trial in enumerate(self._ended())]

    def run(self, n: int, start: Start) -> Iterator[Trial]:
        """Train until `n` trials have ended, those of earlier calls included; yield each new one.

        The first is params.yaml as it is. A trial that is worse than half of the others at a quarter of
        its epochs is ended. Of a call that is interrupted, the trials that were yielded count.

        Raises:
            HeadstartError: params.yaml diverges with its own seeds.
        """
        waiting: deque[tuple[Mapping[str, Any], Callable[[], Outcome]]] = deque()
        for number in range(len(self._ended()), n):
            if len(waiting) == IN_FLIGHT:
                yield self._record(*waiting.popleft())
            before = self._ended()[: max(number - IN_FLIGHT + 1, 0)]
            drawn = self._draw(number, before) if number else self._present
            settings = {d.key: d.tried(drawn[d.key]) for d in self.space if number}
            waiting.append((drawn, start(settings, self._limits(before))))
        while waiting:
            yield self._record(*waiting.popleft())

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

    def _draw(self, number: int, before: "Sequence[optuna.trial.FrozenTrial]") -> dict[str, Any]:
        """What trial `number` tries, by what those `before` it showed."""
        import optuna

        self._known.add_trials(before[self._n_known :])
        self._n_known = len(before)
        seed = key_seed(self._seed, "sweep", number) % 2**32
        self._known.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=N_RANDOM)
        trial = self._known.ask({d.key: distribution(d) for d in self.space})
        self._known.tell(trial, state=optuna.trial.TrialState.FAIL)  # it is added once it has ended
        return trial.params

    def _limits(self, before: "Sequence[optuna.trial.FrozenTrial]") -> Limits:
        done = [trial for trial in before if trial.state.name == "COMPLETE"]
        if not done:
            return Limits()
        losses = sorted([trial.value for trial in done if trial.value is not None])
        losses += [float("inf")] * (len(before) - len(done))
        hopeless = {}
        for mark in range(1, MARKS):
            seen = [t.intermediate_values[mark] for t in done if mark in t.intermediate_values]
            if seen and len(done) >= N_RANDOM:
                hopeless[mark] = median(seen)
        return Limits(hopeless, losses[len(losses) // PROMISING])

    def _record(self, drawn: Mapping[str, Any], result: Callable[[], Outcome]) -> Trial:
        """Wait for the end of a trial, and keep it."""
        from optuna.trial import TrialState, create_trial

        outcome, number = result(), len(self._ended())
        # A seed that diverges rules a trial out. Params.yaml stays: it is in use with its own seeds.
        scores = [] if outcome.diverged and number else outcome.scores
        if outcome.diverged and not number and not scores:
            raise HeadstartError(outcome.diverged)
        value: float | None = None
        attributes: dict[str, Any] = {"seconds": outcome.seconds}
        attributes["diverged"] = bool(outcome.diverged)
        if scores:
            log_loss, score = (fmean(of_seeds) for of_seeds in zip(*scores, strict=True))
            value = log_loss if self.measure == "log_loss" else -score
            attributes |= {"log_loss": log_loss, "score": score, "n_seeds": len(scores)}
        self._study.add_trial(
            create_trial(
                state=TrialState.PRUNED if value is None else TrialState.COMPLETE,
                value=value,
                params=dict(drawn),
                distributions={d.key: distribution(d) for d in self.space if d.key in drawn},
                user_attrs=attributes,
                intermediate_values=dict(outcome.seen),
            )
        )
        return self.trials()[-1]

    def _ended(self) -> "list[optuna.trial.FrozenTrial]":
        ended: list[optuna.trial.FrozenTrial] = self._study.get_trials(deepcopy=False)
        return ended

    def _read(self, number: int, trial: "optuna.trial.FrozenTrial") -> Trial:
        settings = {d.key: d.tried(trial.params[d.key]) for d in self.space if number}
        known = trial.user_attrs
        return Trial(
            number, settings, known.get("log_loss"), known.get("score"), known["seconds"],
            known.get("n_seeds", 1), known["diverged"],
        )  # fmt: skip


def distribution(dimension: Dimension) -> "optuna.distributions.BaseDistribution":
    """What optuna draws a value of the dimension from."""
    import optuna

    if not isinstance(dimension, Range):
        return optuna.distributions.CategoricalDistribution(dimension.values)
    if dimension.whole:
        return optuna.distributions.IntDistribution(
            int(dimension.low), int(dimension.high), log=dimension.log
        )
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)
