"""Which of two networks is better on valid, and when a training has shown that it does not help."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from headstart.labels.task import SCORE, Task
from headstart.network.objective import Scores
from headstart.scores.metrics import Floats

Measure = Literal["log_loss", "score"]

STANDARD_ERRORS = 2.0  # equal networks differ by more in one direction about once in 40 times


def beyond_noise(gains: Floats) -> bool:
    """Whether paired differences (N,) have a mean above 0 that chance does not explain.

    If the sign of each difference were chance, their sum would have the standard error √Σd²; the sum
    must exceed twice that. For scores of 0 and 1 this is McNemar's test: only the pictures count that
    one of the networks has right and the other wrong. 4 to 0 is noise, 5 to 0 and 15 to 5 are not.
    Of fewer than 5 pictures nothing is known, however large their differences are.
    """
    return float(gains.sum()) > STANDARD_ERRORS * float(np.sqrt((gains**2).sum()))


@dataclass(frozen=True)
class WorseFirstCycle:
    """A first cycle that ended worse than what it began with, beyond noise.

    Attributes:
        before: scores that it began with.
        after: scores at its end, at the same size.
        measures: those that are worse beyond noise.
    """

    before: Scores
    after: Scores
    measures: tuple[Measure, ...]

    def named(self, task: Task) -> dict[str, dict[str, float]]:
        """Name of each of `measures` -> its value `before` and `after`, for a metrics file."""
        names = {"log_loss": "log_loss", "score": SCORE[task].lower()}
        return {
            names[of]: {"before": getattr(self.before, of), "after": getattr(self.after, of)}
            for of in self.measures
        }


@dataclass(frozen=True)
class StopRule:
    """What to do when a cycle ends worse than the best so far.

    Attributes:
        monitor: what "better" means: a lower log loss, a higher score, or both (`better`). A tie is
            not worse: scores of a small valid split often tie.
        stop: end the phase when a cycle ends worse than the best cycle before it, which is
            over-fitting. The starting point does not count as a cycle: a first short cycle at a high
            rate may well end a little worse than a converged head, and the next one far better. The
            next phase goes on from the best weights of this size. Where both are monitored, a first
            cycle that ends worse beyond noise ends the whole training (`worse_first_cycle`).
        keep: best restores the best weights among all ends of cycles and the starting point (the
            earliest of equals); last keeps the last weights.
    """

    monitor: Literal["log_loss", "score", "both"]
    stop: bool
    keep: Literal["best", "last"]

    def better(self, new: Scores, old: Scores) -> bool:
        """Whether `new` is better than `old`; neither may be better than the other.

        Where both are monitored, a lower log loss counts if the score is not lower, and a higher
        score counts in spite of a higher log loss if it is beyond noise. So a training that keeps
        the best never ends with a lower score than it began with.
        """
        if self.monitor == "log_loss":
            return new.log_loss < old.log_loss
        if self.monitor == "score":
            return new.score > old.score
        better_at_both = new.score >= old.score and new.log_loss < old.log_loss
        return better_at_both or beyond_noise(new.scores - old.scores)

    def worse_first_cycle(self, after: Scores, before: Scores) -> WorseFirstCycle | None:
        """Why the training should end after its first cycle; None if it should go on.

        It should end where both are monitored and the score is lower beyond noise, or the log loss
        is higher beyond noise and the score is not higher.
        """
        if not self.stop or self.monitor != "both":
            return None
        measures: list[Measure] = []
        if beyond_noise(before.scores - after.scores):
            measures.append("score")
        if after.score <= before.score and beyond_noise(after.log_losses - before.log_losses):
            measures.append("log_loss")
        return WorseFirstCycle(before, after, tuple(measures)) if measures else None
