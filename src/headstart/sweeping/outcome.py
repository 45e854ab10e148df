"""How one trial ends: trained with one seed or several, ended early, or diverged."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from headstart.network.objective import Scores
from headstart.sweeping.objective import CachedSet, HeadParamsOfAll, Measure, Watched, mean_loss
from headstart.training.divergence import DivergedError

SEEDS_OF_BEST = (4, 5)
"""Added to the seeds of params.yaml for the further trainings of a promising trial."""


@dataclass(frozen=True)
class Limits:
    """What the trials before say of one: losses above which it is hopeless, or not promising.

    Attributes:
        hopeless: quarter (1 to 3) -> the highest loss there with which it goes on.
        promising: the highest loss with which it is trained with another seed.
    """

    hopeless: Mapping[int, float] = field(default_factory=dict)
    promising: float = float("inf")


@dataclass(frozen=True)
class Outcome:
    """A trial that has ended.

    Attributes:
        scores: (log loss, score) of valid, of each seed that was trained to its end; empty if the trial
            was ended early.
        seen: quarter -> the loss of the first seed there.
        seconds: that it took.
        diverged: why the seed after those diverged, or empty.
    """

    scores: list[tuple[float, float]]
    seen: Mapping[int, float]
    seconds: float
    diverged: str = ""


class HopelessError(Exception):
    """A trial is worse than half of the others at the same part of their epochs."""


def train_trial(
    cached: CachedSet, params: HeadParamsOfAll, limits: Limits, measure: Measure
) -> Outcome:
    """Train with the seeds of params.yaml, and with others as long as the mean is promising.

    One seed of 100 settings would find the luckiest, not the best: rates where luck counts most.
    """
    started, seen = time.monotonic(), dict[int, float]()

    def judge(mark: int, log_loss: float, score: float) -> None:
        seen[mark] = log_loss if measure == "log_loss" else -score
        if min(seen.values()) > limits.hopeless.get(mark, float("inf")):
            raise HopelessError

    scores: list[Scores] = []
    diverged = ""
    try:
        scores.append(cached.train(params, Watched(params.n_epochs, judge)))
        for number in SEEDS_OF_BEST:
            if mean_loss(scores, measure) <= limits.promising:
                scores.append(cached.train(params.other_seed(number)))
    except HopelessError:
        pass
    except DivergedError as error:
        diverged = str(error)
    told = [(of.log_loss, of.score) for of in scores]
    return Outcome(told, seen, round(time.monotonic() - started, 3), diverged)
