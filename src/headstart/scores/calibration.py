"""Temperature scaling: one number that makes a network as sure as it is often right.

Axis letters: N images, K classes. Probabilities are those of a network, or a mean of such; `task`
says whether a row sums to 1 (single_label) or each of its labels has two answers (multi_label).

Source: C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (arXiv 1706.04599), section
4.2.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headstart.labels.task import Task
from headstart.scores.metrics import Floats, Ints
from headstart.scores.multi_label import Bools

Calibration = Literal["temperature", "none"]

Truth = Ints | Bools
"""single_label: class numbers (N,); multi_label: whether a picture has a label, (N, K)."""

TEMPERATURES = (0.05, 20.0)
"""The lowest and the highest that is found."""
TINY, BELOW_1 = float(np.finfo(np.float64).tiny), float(np.nextafter(1, 0))
"""A probability of 0 or 1 counts as this, so that its logarithm and its logit are finite."""
PRECISION = 1e-9
"""Relative, of a temperature."""
N_STEPS = 100  # at most; halving TEMPERATURES down to PRECISION takes 33


def calibrated(probabilities: Floats, temperature: float, task: Task) -> Floats:
    """Probabilities (..., K) at a temperature above 0: above 1 less sure, below 1 surer.

    single_label: p^(1/T), normalised, which is softmax(z/T) of logits z. multi_label:
    sigmoid(logit(p)/T). Of two classes of a row the likelier one stays so, or both round to the same.
    T = 1 gives the same array.
    """
    if temperature == 1:
        return probabilities
    z = _logits(probabilities, task) / temperature
    return _softmax(z) if task == "single_label" else _sigmoid(z)


def find_temperature(probabilities: Floats, truth: Truth, task: Task) -> float:
    """The temperature, within TEMPERATURES, that gives N pictures the lowest log loss.

    Where every picture is right, the log loss falls without end as T goes to 0. So the sum of the
    losses has one more term, ``b − log b`` with b = 1/T: a Gamma prior of b with its peak at T = 1,
    that weighs about as much as one picture. With no picture T is 1.

    Both are convex in b, so Newton's method inside a shrinking bracket finds the only minimum.

    Args:
        probabilities: (N, K)
        truth: of the same pictures
        task: decides what the log loss is: scores.metrics.log_losses, or for multi_label
            scores.multi_label.binary_cross_entropies
    """
    n = len(probabilities)
    if not n:
        return 1.0
    of_loss = _derivatives(_logits(probabilities, task), truth, task)
    low, high, b = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0], 1.0
    for _ in range(N_STEPS):
        first, second = of_loss(b)
        slope, curvature = first + (1 - 1 / b) / n, second + 1 / (b**2 * n)
        low, high = (low, b) if slope > 0 else (b, high)
        step = b - slope / curvature
        last, b = b, step if low < step < high else (low * high) ** 0.5
        if abs(b / last - 1) < PRECISION:
            break
    return float(1 / b)


def cross_calibrated(probabilities: Floats, truth: Truth, task: Task, folds: Ints) -> Floats:
    """Probabilities (N, K), each at a temperature that was found without its fold.

    Args:
        probabilities: (N, K)
        truth: of the same pictures
        task: what the labels are
        folds: (N,) as folds_of gives it; where all are in one, T is 1
    """
    found = np.empty_like(probabilities)
    for fold in np.unique(folds):
        inside = folds == fold
        temperature = find_temperature(probabilities[~inside], truth[~inside], task)
        found[inside] = calibrated(probabilities[inside], temperature, task)
    return found


def _logits(probabilities: Floats, task: Task) -> Floats:
    if task == "single_label":
        return np.asarray(np.log(probabilities.clip(TINY)))
    inside = probabilities.clip(TINY, BELOW_1)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _softmax(z: Floats) -> Floats:
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _sigmoid(z: Floats) -> Floats:
    small = np.exp(-abs(z))  # never overflows
    return np.asarray(np.where(z >= 0, 1, small) / (1 + small))


def _derivatives(z: Floats, truth: Truth, task: Task) -> Callable[[float], tuple[float, float]]:
    """The first and the second derivative, by b, of the mean log loss of the logits b·z (N, K)."""
    if task == "single_label":
        of_truth = z[np.arange(len(z)), truth].mean()

        def of_one(b: float) -> tuple[float, float]:
            p = _softmax(b * z)
            mean = (p * z).sum(axis=1, keepdims=True)
            return float(mean.mean() - of_truth), float((p * (z - mean) ** 2).sum(axis=1).mean())

        return of_one

    def of_many(b: float) -> tuple[float, float]:
        p = _sigmoid(b * z)
        return float(((p - truth) * z).mean()), float((p * (1 - p) * z**2).mean())

    return of_many


def brier_scores(probabilities: Floats, truth: Truth, task: Task) -> NDArray[np.float64]:
    """Squared distance of each picture's probabilities from its truth, (N, K) -> (N,).

    single_label: the sum over the classes, 0 to 2, as Brier defined it. multi_label: the mean over
    the labels, 0 to 1.

    Source: G. W. Brier, Verification of forecasts expressed in terms of probability, Monthly Weather
    Review 78 (1950) 1.
    """
    if task == "multi_label":
        return np.asarray(((probabilities - truth) ** 2).mean(axis=1))
    rows = np.arange(len(truth))
    squares = (probabilities**2).sum(axis=1)
    return np.asarray(squares - 2 * probabilities[rows, truth] + 1)
