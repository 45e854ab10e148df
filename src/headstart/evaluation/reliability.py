"""How often a network is right where it says how sure it is: bins of confidence, and ECE.

Axis letters: N predictions, M bins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.evaluation.intervals import wilson
from headstart.evaluation.predictions import Floats
from headstart.labels.task import Task
from headstart.scores.calibration import Truth
from headstart.scores.multi_label import Bools

N_BINS = 15
LEVEL = 0.95
"""Level of the interval of each bin."""


@dataclass(frozen=True)
class Bin:
    """Predictions of one range of confidence, of which there is at least one.

    Attributes:
        low: excluded, but for 0.
        high: included.
        n: number of predictions.
        confidence: their mean confidence.
        accuracy: the share of them that is right; for a label, that has the label.
        interval: Wilson's, of the accuracy.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


def judged(probabilities: Floats, truth: Truth, task: Task) -> tuple[Floats, Bools]:
    """The confidence of each prediction, and whether it is right, (N,) both.

    single_label: a picture's confidence is its highest probability, and it is right if that is of
    its class. multi_label: every probability of every label counts, and it is right if the picture
    has the label.
    """
    if task == "multi_label":
        return probabilities.ravel(), np.asarray(truth, bool).ravel()
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == truth


def reliability_bins(confidence: Floats, right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """Sort N predictions into N_BINS bins of equal width, ((m − 1) / M, m / M]; 0 is in the first.

    Args:
        confidence: (N,), in [0, 1]
        right: (N,)

    Returns:
        The bins that hold a prediction.
    """
    # Rounded, because a mean of float views puts a share such as 1/3 on either side of an edge.
    places = np.clip(np.ceil(np.round(confidence * N_BINS, 9)) - 1, 0, N_BINS - 1).astype(np.int64)
    bins = []
    for place in np.unique(places).tolist():
        inside = places == place
        n, n_right = int(inside.sum()), int(right[inside].sum())
        mean, interval = float(confidence[inside].mean()), wilson(n_right, n, LEVEL)
        edges = place / N_BINS, (place + 1) / N_BINS
        bins.append(Bin(*edges, n, mean, n_right / n, interval))
    return tuple(bins)


def expected_calibration_error(bins: tuple[Bin, ...]) -> float:
    """ECE = Σ n_m / N · |accuracy_m − confidence_m|, in [0, 1]; bins hold N ≥ 1 predictions.

    Source: C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (arXiv 1706.04599),
    section 2.
    """
    n = sum(bin_.n for bin_ in bins)
    return sum(bin_.n / n * abs(bin_.accuracy - bin_.confidence) for bin_ in bins)
