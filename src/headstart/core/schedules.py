"""Learning rates as functions of the position: values in, values out."""

import math
from collections.abc import Sequence


def cycle_epochs(cycles: int, cycle_len: int, cycle_mult: int) -> list[int]:
    """Epochs of each cycle: cycle_len * cycle_mult**i, for i in 0 .. cycles - 1.

    >>> cycle_epochs(3, 1, 2)
    [1, 2, 4]
    """
    return [cycle_len * cycle_mult**i for i in range(cycles)]


def constant(n_steps: int) -> list[float]:
    """A factor of 1 for every step."""
    return [1.0] * n_steps


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


def exponential_range(start: float, end: float, n: int) -> list[float]:
    """The rates of a range test: start * (end / start)**(i / n) for i in 0 .. n - 1, with n >= 1."""
    return [start * (end / start) ** (i / n) for i in range(n)]
