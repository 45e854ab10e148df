"""What a linear classifier that never saw a picture says of it.

Axis letters: N images, D features, R components, K classes.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from headstart.activations.rows import ViewRows
from headstart.labels.task import Task

N_COMPONENTS = 256
"""More change neither the log loss nor what is found, and cost a multiple (docs/benchmarks.md)."""
ROWS = 4096  # features in memory at a time
DECAYS = [10.0 ** (-exponent / 2) for exponent in range(4, 13)]  # 0.01 to 1e-6, strongest first
N_STEPS = 30  # of L-BFGS at each decay, from the weights of the one before


def components(features: NDArray[np.float32] | ViewRows, n: int = N_COMPONENTS) -> Tensor:
    """The first principal components (N, R) of standardised features (N, D), R = min(n, N, D).

    The features may lie in a file: only D rows, or a few thousand, are in memory at a time.
    """
    n_rows, n_features = features.shape
    if (
        n_rows <= n_features
    ):  # the D x D correlations have rank N at most, which eigh may not survive
        return _of_few(torch.from_numpy(np.array(features)), n)
    total = torch.zeros(n_features, dtype=torch.float64)
    products = torch.zeros(n_features, n_features, dtype=torch.float64)
    for rows in _parts(features):
        total += rows.sum(0, dtype=torch.float64)
        products += (rows.T @ rows).double()
    mean = total / n_rows
    covariance = products / n_rows - mean.outer(mean)
    deviation = _deviation(mean, covariance.diagonal())
    axes = torch.linalg.eigh(covariance / deviation.outer(deviation))[1][:, -n:].float()
    # divided by the root of D, so that a picture's squared length is about 1 with any backbone
    scale = (deviation * n_features**0.5).float()
    return torch.cat([(rows - mean.float()) / scale @ axes for rows in _parts(features)])


def _of_few(features: Tensor, n: int) -> Tensor:
    """The components (N, R) of N pictures with at least as many features, by N x N products."""
    mean = features.mean(0, dtype=torch.float64)
    deviation = _deviation(mean, (features - mean).square().mean(0))
    points = (features - mean) / (deviation * features.shape[1] ** 0.5)  # (N, D) float64
    values, axes = torch.linalg.eigh(points @ points.T)  # (N), (N, N): ascending
    found: Tensor = (axes * values.clamp(min=0).sqrt())[:, -n:].float()
    return found


def _deviation(mean: Tensor, variance: Tensor) -> Tensor:
    """(D): standard deviations; infinite where a feature has no more than rounding errors."""
    constant = variance <= 1e-6 * (mean.square() + variance)
    return variance.sqrt().where(~constant, torch.inf)


def out_of_fold_logits(
    points: Tensor, targets: Tensor, folds: NDArray[np.int64], n_classes: int, task: Task
) -> NDArray[np.float64]:
    """Logits (N, K), each by a logistic regression that was fitted to the other folds.

    The weight decay is the one of DECAYS with the lowest log loss of these logits: from the strongest
    on, until a weaker one is worse.

    Args:
        points: (N, R) float32.
        targets: as Labels.targets.
        folds: (N), at least two different ones.
        n_classes: K.
        task: decides the loss.
    """
    numbers = torch.from_numpy(folds)
    weights = [torch.zeros(points.shape[1] + 1, n_classes)] * (int(folds.max()) + 1)
    best, lowest = torch.zeros(len(points), n_classes), float("inf")
    for decay in DECAYS:
        logits = torch.empty(len(points), n_classes)
        for fold, start in enumerate(weights):
            others = numbers != fold
            weights[fold] = _fitted(points[others], targets[others], start, decay, task)
            logits[~others] = _logits(points[~others], weights[fold])
        loss = float(_loss(logits, targets, task))
        if loss >= lowest:
            break
        best, lowest = logits, loss
    return best.double().numpy()


def _fitted(points: Tensor, targets: Tensor, start: Tensor, decay: float, task: Task) -> Tensor:
    """Weights (R + 1, K), the bias last, of the least loss plus decay / 2 times their squares."""
    weights = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=N_STEPS, history_size=10, line_search_fn="strong_wolfe",
        tolerance_grad=1e-5, tolerance_change=1e-7,
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        penalty = decay / 2 * weights[:-1].square().sum()
        loss = _loss(_logits(points, weights), targets, task) + penalty
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach()


def _logits(points: Tensor, weights: Tensor) -> Tensor:
    return points @ weights[:-1] + weights[-1]


def _loss(logits: Tensor, targets: Tensor, task: Task) -> Tensor:
    """Mean over the pictures; of many labels, summed over the labels."""
    if task == "single_label":
        return functional.cross_entropy(logits, targets)
    summed = functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    return summed / len(logits)


def _parts(features: NDArray[np.float32] | ViewRows) -> Iterator[Tensor]:
    for first in range(0, len(features), ROWS):
        yield torch.from_numpy(np.array(features[first : first + ROWS]))
