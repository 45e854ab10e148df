"""The reliability diagram: how often the network is right where it says how sure it is."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from headstart.evaluation.decisions import unseen_probabilities
from headstart.evaluation.predictions import Kind, Predictions
from headstart.evaluation.reliability import (
    LEVEL,
    N_BINS,
    Bin,
    expected_calibration_error,
    judged,
    reliability_bins,
)
from headstart.reporting.charts import Reading, Tick, from_top

ECE_MEANS = (
    f"ECE (expected calibration error): the distance between confidence and share, as a mean over "
    f"{N_BINS} bins of equal width, each weighted by its count (Guo et al., On Calibration of Modern "
    "Neural Networks, 2017, section 2)."
)
"""A sentence for the page, once for all diagrams."""
TICKS = tuple(Tick(at, f"{at}%") for at in (0, 20, 40, 60, 80, 100))


@dataclass(frozen=True)
class ReliabilityChart:
    """What the macro reliability_chart draws.

    Attributes:
        split: valid or test.
        probabilities: calibrated or uncalibrated.
        title: the split, and where it has two diagrams, which one this is.
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
    probabilities: str
    title: str
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


def reliability_charts(predictions: Predictions, kind: Kind) -> list[ReliabilityChart]:
    """The diagrams of valid and of test, where they have labelled pictures.

    Where a temperature calibrates the predictions, each split has one before and one after it.
    """
    states = (False, True) if kind in predictions.temperatures else (False,)
    charts = (
        reliability_chart(predictions, split, kind, calibrated)
        for split in ("valid", "test")
        for calibrated in states
    )
    return [chart for chart in charts if chart]


def reliability_chart(
    predictions: Predictions, split: str, kind: Kind, calibrated: bool = False
) -> ReliabilityChart | None:
    """The diagram of the labelled pictures of a split; None if there is none.

    What counts as one prediction says evaluation.reliability.judged; the intervals take the labels of
    one picture as independent.

    Args:
        predictions: of all pictures
        split: valid or test
        kind: plain or tta
        calibrated: at temperatures that were found without the picture; else as the network says them
    """
    chosen = predictions.labelled(split)
    if not len(chosen.table):
        return None
    probabilities = (
        unseen_probabilities(chosen, split, kind) if calibrated else chosen.uncalibrated(kind)
    )
    single, two = predictions.task == "single_label", kind in predictions.temperatures
    confidence, right = judged(probabilities, chosen.truth(), predictions.task)
    bins = reliability_bins(confidence, right)
    ece = expected_calibration_error(bins)
    noun = ("picture", "right") if single else ("probability", "with the label")
    of = "confidence" if single else "probability"
    are = "pictures are right" if single else "probabilities are of a label that the picture has"
    return ReliabilityChart(
        split,
        "calibrated" if calibrated else "uncalibrated",
        f"{split}, {'after' if calibrated else 'before'} calibration" if two else split,
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
        columns split; probabilities (calibrated or uncalibrated); from and to (of the confidence); n;
        confidence (their mean); share (that is right, or has the label); share_low and share_high
        (its interval).
    """
    rows = [
        (
            chart.split, chart.probabilities, bin_.low, bin_.high, bin_.n, bin_.confidence,
            bin_.accuracy, *bin_.interval,
        )
        for chart in charts
        for bin_ in chart.bins
    ]  # fmt: skip
    columns = ["split", "probabilities", "from", "to", "n", "confidence", "share"]
    return pd.DataFrame(rows, columns=[*columns, "share_low", "share_high"])


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
