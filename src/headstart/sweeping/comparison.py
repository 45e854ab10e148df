"""Whether a trial is better than params.yaml beyond noise: trainings repeated with other seeds.

Axis letters: S seeds, N images, G groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from headstart.network.objective import Scores
from headstart.scores.metrics import Floats
from headstart.sweeping.objective import Measure, mean_loss
from headstart.sweeping.study import Trial

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Repeats:
    """The scores of one trial's params with other seeds.

    Attributes:
        trial: whose params.
        scores: of each seed that was trained to its end, with those of each picture.
        diverged: why another seed was not, or empty.
    """

    trial: Trial
    scores: Sequence[Scores]
    diverged: str = ""

    def of_pictures(self, measure: Measure) -> Floats:
        """Log losses or scores (S, N) of each seed and picture."""
        log_losses = measure == "log_loss"
        return np.stack([s.log_losses if log_losses else s.scores for s in self.scores])

    def of_seeds(self, measure: Measure) -> list[float]:
        """The log loss or the score of each seed."""
        return [s.log_loss if measure == "log_loss" else s.score for s in self.scores]

    def loss(self, measure: Measure) -> float:
        """The mean over seeds of what is lower for better params; infinite if one diverged."""
        return float("inf") if self.diverged else mean_loss(self.scores, measure)


@dataclass(frozen=True)
class Gain:
    """By how much params are better than others, with a confidence interval.

    Attributes:
        mean: fall of the log loss, or rise of the score.
        half: half of the interval's width.
    """

    mean: float
    half: float

    @property
    def beyond_noise(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.mean > self.half


def gain(
    best: Repeats, present: Repeats, measure: Measure, groups: Sequence[str], n_compared: int
) -> Gain:
    """The gain of `best` over `present`, paired by picture.

    The variance of the mean difference is that of the pictures' differences, with pictures of one group
    taken together, plus that of the mean over seeds on both sides. The interval is widened for the
    choice among `n_compared` (Bonferroni).

    Args:
        best: chosen among several by its mean; as `present`, it diverged with no seed.
        present: params.yaml as it is, with the same seeds.
        measure: what is compared.
        groups: (N,) of the pictures; those of one group may be alike.
        n_compared: how many were compared with `present`, at least 1.
    """
    sign = 1 if measure == "log_loss" else -1
    old, new = present.of_pictures(measure), best.of_pictures(measure)
    differences = sign * (old - new).mean(axis=0)  # (S, N) -> (N,)
    n, mean = len(differences), float(differences.mean())
    sums = pd.Series(differences - mean).groupby(list(groups)).sum().to_numpy()  # (G,)
    of_pictures = float((sums**2).sum()) / n**2 * len(sums) / max(len(sums) - 1, 1)
    of_seeds = sum(
        float(np.var(side.of_seeds(measure), ddof=1)) / len(side.scores) for side in (best, present)
    )
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2 / n_compared)
    return Gain(mean, z * (of_pictures + of_seeds) ** 0.5)
