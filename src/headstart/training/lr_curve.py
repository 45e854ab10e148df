"""Reading the curve of a learning-rate range test (Smith, arXiv 1506.01186, section 3.3)."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from headstart.project.section import Section
from headstart.training.schedules import exponential_range

Rule = Literal[
    "steepest", "tenth_of_minimum", "two_thirds_of_fall", "two_thirds_of_valley", "valley"
]

# The last points before the stop rise steeply and the first ones are still noise (RECIPE: the
# course's own plot skipped 10 and 5 of some 300).
SKIP_START_FRAC = 0.05
SKIP_END_FRAC = 0.05
MIN_POINTS = 10
MIN_DROP_FRAC = 0.05
MIN_DROP_SD = 5.0  # over 600 flat curves, noise alone made falls of up to 4.7 sd
MEDIAN_OF_NORMAL = 0.6745  # median of |x| of a standard normal x


def smooth(losses: Sequence[float], beta: float) -> list[float]:
    """Exponential moving average, debiased: m_i = beta m_{i-1} + (1 - beta) l_i, over 1 - beta^i."""
    mean, smoothed = 0.0, []
    for i, loss in enumerate(losses, start=1):
        mean = beta * mean + (1 - beta) * loss
        smoothed.append(mean / (1 - beta**i))
    return smoothed


def diverged(smoothed: Sequence[float], factor: float = 4.0, grace: int = 10) -> bool:
    """Whether the test should stop: the last loss is no number, or over `factor` times the best.

    The best is tracked from iteration `grace` on (counted from 0), as the course's system did.
    """
    last = smoothed[-1]
    if not math.isfinite(last):
        return True
    return len(smoothed) > grace and last > factor * min(smoothed[grace:])


@dataclass(frozen=True)
class LrCurve:
    """The rates tried, the raw loss at each, and the smoothed one; equally long, perhaps empty."""

    lrs: list[float]
    raw: list[float]
    smoothed: list[float]
    smoothing: float  # beta of the moving average

    def table(self) -> pd.DataFrame:
        """Columns lr, loss, smoothed_loss, for `dvc plots`."""
        columns = {"lr": self.lrs, "loss": self.raw, "smoothed_loss": self.smoothed}
        return pd.DataFrame(columns)


@dataclass(frozen=True)
class Suggestion:
    """A learning rate and how it was found, or None and why there is none."""

    lr: float | None
    reason: str

    def metrics(self) -> dict[str, float]:
        """The rate; nothing where there is none."""
        return {} if self.lr is None else {"suggested_lr": self.lr}


def suggest(curve: LrCurve, rule: Rule) -> Suggestion:
    """Suggest a rate by `rule`, or say why the curve allows none (skipped, too short, or flat)."""
    lrs, smoothed = curve.lrs, curve.smoothed
    n = len(lrs)
    if n == 0:
        return Suggestion(None, "the range test was skipped, n_iter is 0")
    kept = slice(math.ceil(SKIP_START_FRAC * n), n - math.ceil(SKIP_END_FRAC * n))
    x = np.log(np.asarray(lrs, dtype=np.float64))[kept]
    y = np.asarray(smoothed, dtype=np.float64)[kept]
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(y) < MIN_POINTS:
        return Suggestion(None, f"the curve has {len(y)} usable points, {MIN_POINTS} are needed")
    variance = _variance(curve)[kept][finite]
    lowest = int(np.argmin(y))
    highest = int(np.argmax(y[: lowest + 1]))
    drop = float(y[highest] - y[lowest])
    noise = math.sqrt(variance[highest] + variance[lowest])
    needed = max(MIN_DROP_FRAC * float(y[highest]), MIN_DROP_SD * noise)
    if drop < needed or drop == 0:
        return Suggestion(
            None,
            f"the smoothed loss falls by {drop:.3g} only, at least {needed:.3g} are needed to tell "
            "a fall from the noise of the batches",
        )
    return Suggestion(float(np.exp(RULES[rule](x, y))), f"rule {rule}")


def _variance(curve: LrCurve) -> NDArray[np.float64]:
    """Variance of each smoothed loss that comes from the differences between batches alone.

    Successive raw losses differ by sqrt(2) sd of the noise. The sd is estimated by the median
    difference, so that the blow-up at the end does not count. A debiased average of i values with
    beta b keeps (1 - b) / (1 + b) * (1 + b**i) / (1 - b**i) of the variance: all of it for i = 1.
    """
    steps = np.abs(np.diff(np.asarray(curve.raw)))
    sd = float(np.median(steps[np.isfinite(steps)])) / MEDIAN_OF_NORMAL / math.sqrt(2)
    b, power = curve.smoothing, curve.smoothing ** np.arange(1, len(curve.raw) + 1)
    return np.asarray(sd**2 * (1 - b) / (1 + b) * (1 + power) / (1 - power))


Curve = NDArray[np.float64]  # (N,): logarithms of rates, or losses; N at least MIN_POINTS


def steepest(x: Curve, y: Curve) -> float:
    """Where the loss falls fastest per unit of log rate, before its minimum.

    Source: fastai 2.8, `fastai.callback.schedule.steep`, which looks beyond the minimum, too.
    """
    lowest = max(int(np.argmin(y)), 1)
    slope = np.gradient(y, x)
    return float(x[int(np.argmin(slope[: lowest + 1]))])


def tenth_of_minimum(x: Curve, y: Curve) -> float:
    """A tenth of the rate with the lowest loss: fast.ai's rule of thumb.

    Source: fastai 2.8, `fastai.callback.schedule.minimum`.
    """
    return float(x[int(np.argmin(y))] - math.log(10))


def valley(x: Curve, y: Curve) -> float:
    """About the middle of the longest valley: what fastai 2 suggests by default.

    The longest valley is the longest strictly falling subsequence of the losses, so that a bump does
    not end it. If it has L points and the last one is at place e, the rate is the one at place
    e - L + L/3 + L/6, with both fractions rounded down. Bumps inside the valley are not among the L
    points, so they move the rate to a later place.

    Source: fastai 2.8, `fastai.callback.schedule.valley`, after ESRI's. fastai's documentation says
    "roughly 2/3 through the longest valley", which is `two_thirds_of_valley`.
    """
    length, end = longest_fall(y)
    return float(x[max(end - length + length // 3 + length // 6, 0)])


def two_thirds_of_valley(x: Curve, y: Curve) -> float:
    """Two thirds of the points of the longest valley after its first one (see `valley`)."""
    length, end = longest_fall(y)
    return float(x[end - length + 1 + (length - 1) * 2 // 3])


def two_thirds_of_fall(x: Curve, y: Curve) -> float:
    """Where the loss has first fallen by two thirds of the way from its highest to its lowest.

    Only losses up to the lowest count for the highest. The rule is our own. It is the default because
    the recipes had the best mean rank and the best worst case at its rates (bench.lr_rules).
    """
    lowest = int(np.argmin(y))
    highest = int(np.argmax(y[: lowest + 1]))
    fallen = y[highest] - y[highest : lowest + 1]
    return float(x[highest + int(np.argmax(fallen >= fallen[-1] * 2 / 3))])


def longest_fall(y: Curve) -> tuple[int, int]:
    """Length of the longest strictly falling subsequence (the first of equals), and its last place."""
    ends: list[float] = []  # for each length the highest loss that a fall of it ends with, negated
    length = np.empty(len(y), dtype=np.int64)
    for place, loss in enumerate(y):
        of_this = bisect_left(ends, -loss)
        ends[of_this : of_this + 1] = [-loss]
        length[place] = of_this + 1
    end = int(np.argmax(length))
    return int(length[end]), end


RULES: dict[Rule, Callable[[Curve, Curve], float]] = {
    "steepest": steepest,
    "tenth_of_minimum": tenth_of_minimum,
    "two_thirds_of_fall": two_thirds_of_fall,
    "two_thirds_of_valley": two_thirds_of_valley,
    "valley": valley,
}


class RangeTestParams(Section):
    """A range test: rates rise in equal ratios, one a training step."""

    n_iter: int = Field(
        ge=0, le=10_000, description="training steps of the test, 0 to 10,000; 0 skips it"
    )
    lr_start: float = Field(
        ge=1e-10, description="first rate of the last layer group, at least 1e-10"
    )
    lr_end: float = Field(
        ge=1e-10,
        le=1e6,
        description="highest rate, which the last step almost reaches, 1e-10 to 1e+06, above lr_start",
    )
    smoothing: float = Field(
        ge=0, lt=1, description="beta of the loss's moving average, in [0, 1); 0.98 for long tests"
    )
    rule: Rule = Field(
        description="how the curve is read: two_thirds_of_fall, two_thirds_of_valley, valley "
        "(fastai's), steepest or tenth_of_minimum; docs/fine_tuning.md says what each does"
    )
    seed: int = Field(
        ge=0, description="seed of the pictures' order, of their views and of dropout, at least 0"
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.lr_end <= self.lr_start:
            raise ValueError(f"lr_end is {self.lr_end}, it must be above lr_start, {self.lr_start}")
        return self

    def lrs(self) -> list[float]:
        """The rates to try."""
        return exponential_range(self.lr_start, self.lr_end, self.n_iter)
