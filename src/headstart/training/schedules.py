"""Schedules: learning rates and momenta as pure functions of the position in a training."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Step(NamedTuple):
    """The settings of one training step: a factor on every group's highest rate, and a momentum.

    A momentum of None is the optimiser's own.
    """

    lr: float
    momentum: float | None = None


def cycle_epochs(cycles: int, cycle_len: int, cycle_mult: int) -> list[int]:
    """Epochs of each cycle: cycle_len * cycle_mult**i, for i in 0 .. cycles - 1.

    >>> cycle_epochs(3, 1, 2)
    [1, 2, 4]
    """
    return [cycle_len * cycle_mult**i for i in range(cycles)]


def constant(n_steps: int) -> list[Step]:
    """A factor of 1 for every step."""
    return [Step(1.0)] * n_steps


def sgdr(cycles: Sequence[int], n_batches: int, warmup_frac: float) -> list[float]:
    """Factors of cosine annealing with warm restarts, one a training step.

    Within a cycle of n = epochs * n_batches steps, step k has (1 + cos(pi k / n)) / 2: from 1 at the
    restart to almost 0 at its end. The first ceil(warmup_frac * n) steps of the first cycle have
    1/100 instead, while the cosine's position advances (fastai 0.7's rule, with warmup_frac 1/20).

    Source: Loshchilov and Hutter, SGDR, arXiv 1608.03983, section 3, with a minimum of 0.

    Args:
        cycles: epochs of each cycle (see `cycle_epochs`).
        n_batches: steps of an epoch, at least 1.
        warmup_frac: part of the first cycle, in [0, 1).
    """
    factors = []
    for cycle, epochs in enumerate(cycles):
        n_steps = epochs * n_batches
        # the small constant keeps 0.05 * 360 from becoming 18.000000000000004 and so 19
        n_warmup = math.ceil(warmup_frac * n_steps - 1e-9) if cycle == 0 else 0
        for k in range(n_steps):
            factors.append(0.01 if k < n_warmup else (1 + math.cos(math.pi * k / n_steps)) / 2)
    return factors


def clr(cycles: Sequence[int], n_batches: int, lr_div: float, rise_frac: float) -> list[float]:
    """Factors of a triangle a cycle: linearly from 1/lr_div to 1, and linearly back.

    The factor rises over the first rise_frac * n of a cycle's n steps; the step after them has 1.

    Source: Smith, Cyclical Learning Rates, arXiv 1506.01186, section 3; slanted as in Howard and
    Ruder, arXiv 1801.06146, section 3.2, which is fastai 0.7's `use_clr=(lr_div, 1/rise_frac)`.

    Args:
        cycles: epochs of each cycle.
        n_batches: steps of an epoch, at least 1.
        lr_div: highest rate over lowest, at least 1.
        rise_frac: part of a cycle that rises, in (0, 1).
    """
    factors: list[float] = []
    for epochs in cycles:
        n = epochs * n_batches
        factors += _triangle(n, round(rise_frac * n), lr_div)
    return factors


def one_cycle(
    cycles: Sequence[int], n_batches: int, lr_div: float, tail_frac: float
) -> list[float]:
    """Factors of a symmetric triangle and a tail a cycle: 1/lr_div, 1, 1/lr_div, 1/(100 lr_div).

    The last tail_frac of the steps of a cycle are the tail, which falls linearly.

    Source: Smith, arXiv 1803.09820, section 4; fastai 0.7's `use_clr_beta=(lr_div, 100 tail_frac)`.

    Args:
        cycles: epochs of each cycle; the method's name means a single cycle.
        n_batches: steps of an epoch, at least 1.
        lr_div: highest rate over the one at the start, at least 1.
        tail_frac: part of a cycle, in [0, 1).
    """
    factors: list[float] = []
    for epochs in cycles:
        n = epochs * n_batches
        n_tail = round(tail_frac * n)
        factors += _triangle(n - n_tail, round((n - n_tail) / 2), lr_div)
        factors += [(1 - 0.99 * (k + 1) / n_tail) / lr_div for k in range(n_tail)]
    return factors


def opposed(factors: Sequence[float], lr_div: float, high: float, low: float) -> list[Step]:
    """Steps whose momentum is `low` where the rate is highest and `high` at 1/lr_div and below.

    Source: Smith, arXiv 1803.09820, section 4.3.
    """
    lowest = 1 / lr_div
    rise = [max(f - lowest, 0) / (1 - lowest) if lr_div > 1 else 0.0 for f in factors]
    return [Step(f, high - r * (high - low)) for f, r in zip(factors, rise, strict=True)]


def _triangle(n: int, n_rise: int, lr_div: float) -> list[float]:
    """Rise from 1/lr_div to 1 in n_rise steps, and fall back in the rest of n."""
    rise = [k / n_rise for k in range(n_rise)]
    n_fall = n - n_rise
    fall = [1 - k / n_fall for k in range(n_fall)]
    return [(1 + height * (lr_div - 1)) / lr_div for height in rise + fall]


def exponential_range(start: float, end: float, n: int) -> list[float]:
    """The rates of a range test: start * (end / start)**(i / n) for i in 0 .. n - 1, with n >= 1."""
    return [start * (end / start) ** (i / n) for i in range(n)]
