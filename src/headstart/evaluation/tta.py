"""Test-time augmentation: one prediction from the plain view of a picture and V augmented ones.

Axis letters: V augmented views, N images, K classes. Views are probabilities (1 + V, N, K), the
plain one first; a row of the mean sums to 1 again.
"""

from typing import Literal

import numpy as np

from headstart.scores.metrics import Floats

Mean = Literal["arithmetic", "geometric", "weighted"]


def mean_of_views(views: Floats, mean: Mean, plain_weight: float) -> Floats:
    """Average the views, (1 + V, N, K) -> (N, K); the plain view alone is returned as it is.

    Args:
        views: probabilities of each view, plain first
        mean: arithmetic: every view counts 1 / (1 + V). geometric: the mean of the logarithms,
            renormalised. weighted: plain counts `plain_weight`, the others share the rest.
        plain_weight: in [0, 1]; used only by the weighted mean

    Raises:
        ValueError: `views` is not (1 + V, N, K).

    Source: fastai 0.7 (arithmetic) and fastai 1 (weighted, plain 0.4). Before 2017-11-29, fastai
    0.7 did not renormalise its geometric mean, so that rows summed to less than 1.
    """
    if views.ndim != 3 or not len(views):
        raise ValueError(f"Views must have the shape (1 + V, N, K), found {views.shape}.")
    if len(views) == 1:
        return np.asarray(views[0])
    match mean:
        case "arithmetic":
            return np.asarray(views.mean(axis=0))
        case "geometric":
            # A zero in one view must not become a row of zeros: the smallest float stands for it.
            logs = np.log(views.clip(np.finfo(np.float64).tiny)).mean(axis=0)
            powers = np.exp(logs - logs.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        case "weighted":
            return np.asarray(plain_weight * views[0] + (1 - plain_weight) * views[1:].mean(axis=0))


def mean_of_label_views(views: Floats, mean: Mean, plain_weight: float) -> Floats:
    """Average the views of multi_label pictures, (1 + V, N, K) -> (N, K).

    Each label is a distribution over two answers, yes and no, and is averaged by mean_of_views.
    """
    answers = np.stack([views, 1 - views], axis=-1)  # (1+V, N, K, 2)
    by_question = answers.reshape(len(views), -1, 2)  # (1+V, N·K, 2)
    averaged = mean_of_views(by_question, mean, plain_weight)
    return np.ascontiguousarray(averaged[:, 0]).reshape(views.shape[1:])  # (N·K,) -> (N, K)
