"""Unbalanced classes: how often each training picture is shown, and how much its labels weigh.

The course's lecture advises copies of the rare cases. Here the sampler draws them after the split,
so no copy can leak into valid. Axis letters: N images, K classes, M pictures of an epoch.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from headstart.labels.task import Task
from headstart.network.objective import Objective, Targets, multi_hot
from headstart.project.section import Section

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Balance = Literal["none", "oversample", "weights"]


class SamplingParams(Section):
    """Section `sampling`: what is done about classes of different sizes."""

    balance: Balance = Field(
        description="none; oversample: rare classes are shown more often, each copy in its own view; "
        "weights: their losses count more"
    )
    strength: float = Field(
        ge=0,
        le=1,
        description="how far class sizes are evened out, 0 to 1; 1: all classes equal; 0.5: by the "
        "square root; 0: not at all",
    )
    max_factor: float = Field(
        ge=1,
        description="largest factor by which pictures are shown more often, or labels weigh more, at "
        "least 1",
    )


def class_factors(counts: Ints, params: SamplingParams) -> Floats:
    """(largest count / count) ** strength of each class, within 1 ... max_factor: (K,) -> (K,).

    Args:
        counts: training pictures of each class; a class without any has the factor 1.
        params: strength and the cap.
    """
    seen = counts > 0
    ratio = np.where(seen, counts.max(initial=1) / np.maximum(counts, 1), 1.0)
    return np.asarray((ratio**params.strength).clip(1, params.max_factor), np.float64)


def picture_factors(hot: NDArray[np.bool_], factors: Floats) -> Floats:
    """The largest factor among each picture's labels; 1 without labels: (N, K) -> (N,).

    Source: the repeat factor of Gupta, Dollar and Girshick, LVIS, arXiv 1908.03195, appendix B.
    """
    return np.asarray(np.where(hot, factors, 1.0).max(axis=1, initial=1.0), np.float64)


@dataclass(frozen=True)
class Rows:
    """Pictures in the order they are shown: their row numbers (M,) and copy numbers (M,)."""

    rows: Ints
    copies: Ints

    def at(self, places: Ints) -> "Rows":
        """The pictures at `places`."""
        return Rows(self.rows[places], self.copies[places])


@dataclass(frozen=True)
class Sampler:
    """Shows picture i `factors[i]` times an epoch on average, never fewer than the whole part of it.

    Attributes:
        factors: (N,), each at least 1.
    """

    factors: Floats

    @property
    def n(self) -> int:
        """Pictures of an epoch, M: the same in every epoch, so that schedules can be laid out."""
        return int(np.ceil(self.factors.sum() - 1e-9))

    def epoch(self, generator: np.random.Generator) -> Rows:
        """Draw an epoch: each picture once, and copies of those whose factor is above 1.

        Systematic sampling over shuffled pictures: the count of picture i is the whole part of its
        factor or one more, right on average, and the total is always M. Copies of one picture are
        numbered from 0.
        """
        n = len(self.factors)
        if (self.factors == 1).all():
            return Rows(np.arange(n), np.zeros(n, np.int64))
        factors = self.factors.copy()
        factors[factors.argmax()] += self.n - factors.sum()  # so that the total is whole
        shuffled = generator.permutation(n)
        ends = np.cumsum(factors[shuffled])
        ends[-1] = self.n  # against rounding
        marks = np.floor(ends + generator.random()).astype(np.int64)
        counts = np.empty(n, np.int64)
        counts[shuffled] = np.diff(marks, prepend=0)
        rows = np.repeat(np.arange(n), counts)
        return Rows(rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts))


def balanced(
    task: Task, targets: Targets, n_classes: int, params: SamplingParams
) -> tuple[Sampler, Objective]:
    """How the training pictures are drawn and what is minimised.

    Args:
        task: what the targets are.
        targets: of the N training pictures.
        n_classes: K.
        params: none shows each picture once and weighs all classes alike.
    """
    if params.balance == "none":
        return Sampler(np.ones(len(targets))), Objective(task)
    hot = multi_hot(targets, n_classes)
    factors = class_factors(hot.sum(axis=0), params)
    if params.balance == "weights":
        return Sampler(np.ones(len(targets))), Objective(task, torch.from_numpy(factors))
    return Sampler(picture_factors(hot, factors)), Objective(task)
