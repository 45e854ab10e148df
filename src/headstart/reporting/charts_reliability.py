"""The reliability diagram: how often the network is right where it says how sure it is."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headstart.evaluation.intervals import wilson
from headstart.evaluation.predictions import Kind, Predictions
from headstart.reporting.charts import Floats, Reading, Tick, from_top

N_BINS = 15
LEVEL = 0.95
"""Level of the interval at each bar."""
ECE_MEANS = (
    f"ECE (expected calibration error): the distance between confidence and share, as a mean over "
    f"{N_BINS} bins of equal width, each weighted by its count (Guo et al., On Calibration of Modern "
    "Neural Networks, 2017, section 2)."
)
"""A sentence for the page, once for all diagrams."""
TICKS = tuple(Tick(at, f"{at}%") for at in (0, 20, 40, 60, 80, 100))


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


@dataclass(frozen=True)
class ReliabilityChart:
    """What the macro reliability_chart draws.

    Attributes:
        split: valid or test.
        bins: the bins that hold a prediction, by rising confidence.
        ece: expected calibration error, in [0, 1].
        sentence: the numbers in words.
        of: name of the horizontal axis.
        share: name of the vertical axis.
        counted: what is counted: pictures or probabilities.
        level: of the intervals, in percent.
        x_ticks: of confidence.
        y_ticks: of the share.
        readings: the numbers of each bin.
    """

    split: str
    bins: tuple[Bin, ...]
    ece: float
    sentence: str
    of: str
    share: str
    counted: str
    level: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    readings: tuple[Reading, ...]

    @property
    def most(self) -> int:
        """The greatest number of predictions in a bin."""
        return max(bin_.n for bin_ in self.bins)


def reliability_chart(predictions: Predictions, split: str, kind: Kind) -> ReliabilityChart | None:
    """The diagram of the labelled pictures of a split; None if there is none.

    single_label: a picture's confidence is its highest probability, and it is right if that is of
    its class. multi_label: every probability of every label counts, and it is right if the picture
    has the label; the intervals take the labels of one picture as independent.

    Args:
        predictions: as they are, calibrated or not
        split: valid or test
        kind: plain or tta
    """
    chosen = predictions.labelled(split)
    probabilities = chosen.probabilities(kind)
    if not len(probabilities):
        return None
    single = predictions.task == "single_label"
    if single:
        confidence = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == chosen.class_numbers()
    else:
        confidence, right = probabilities.ravel(), chosen.multi_hot().ravel()
    bins = reliability_bins(confidence, right)
    ece = expected_calibration_error(bins)
    noun = ("picture", "right") if single else ("probability", "with the label")
    of = "confidence" if single else "probability"
    are = "pictures are right" if single else "probabilities are of a label that the picture has"
    return ReliabilityChart(
        split,
        bins,
        ece,
        f"ECE {ece:.1%}: the mean {of} is {confidence.mean():.1%}, and {right.mean():.1%} of "
        f"{len(right):,} {are}.",
        of,
        f"share {'that is right' if single else 'with the label'}",
        _plural(noun[0], 2),
        round(100 * LEVEL),
        TICKS,
        from_top(TICKS),
        tuple(_reading(bin_, of, *noun) for bin_ in bins),
    )


def reliability_table(charts: Iterable[ReliabilityChart]) -> pd.DataFrame:
    """The bins of some diagrams as rows.

    Returns:
        columns split; from and to (of the confidence); n; confidence (their mean); share (that is
        right, or has the label); share_low and share_high (its interval).
    """
    rows = [
        (chart.split, bin_.low, bin_.high, bin_.n, bin_.confidence, bin_.accuracy, *bin_.interval)
        for chart in charts
        for bin_ in chart.bins
    ]
    columns = ["split", "from", "to", "n", "confidence", "share", "share_low", "share_high"]
    return pd.DataFrame(rows, columns=columns)


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


def _reading(bin_: Bin, of: str, noun: str, right: str) -> Reading:
    low, high = bin_.interval
    text = (
        f"{bin_.low:.0%} to {bin_.high:.0%}: {bin_.n:,} {_plural(noun, bin_.n)} · mean {of} "
        f"{bin_.confidence:.1%} · {right} {bin_.accuracy:.1%} ({low:.1%} to {high:.1%})"
    )
    return round(50 * (bin_.low + bin_.high), 2), text


def _plural(noun: str, n: int) -> str:
    if n == 1:
        return noun
    return noun[:-1] + "ies" if noun.endswith("y") else f"{noun}s"
