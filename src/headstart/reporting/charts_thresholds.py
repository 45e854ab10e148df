"""The drawing of a task of many labels: the F2 of each label over its threshold."""

from dataclasses import dataclass

import numpy as np

from headstart.evaluation.predictions import Kind, Predictions
from headstart.reporting.charts import Floats, Series, Tick, from_top, number, series
from headstart.scores.multi_label import Bools, f_beta_of_counts, label_counts
from headstart.scores.thresholds import GRID, decide

N_SHOWN = 20
TICKS = (Tick(0, "0"), Tick(50, "0.5"), Tick(100, "1"))
"""Of both axes."""


@dataclass(frozen=True)
class LabelCurve:
    """A label's plot; places in percent, from the left and from the top.

    Attributes:
        name: of the label.
        line: F2 over the threshold, both from 0 to 1.
        at: the chosen threshold.
        up: the F2 there.
        chosen: the F2 at the chosen threshold, in words.
        highest: the highest F2 and its threshold; empty if the chosen one has it.
    """

    name: str
    line: Series
    at: str
    up: str
    chosen: str
    highest: str


@dataclass(frozen=True)
class ThresholdsChart:
    """What the macro thresholds_chart draws: the labels of lowest F2 first, and what is left out."""

    labels: tuple[LabelCurve, ...]
    rest: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def thresholds_chart(predictions: Predictions, split: str, kind: Kind) -> ThresholdsChart | None:
    """The F2 of each label over its threshold, on the labelled pictures of a split.

    A label's F2 counts all pictures at once, so it says nothing about other labels. The thresholds
    were searched for the highest mean F2 over pictures, so the chosen one may lie off the top.

    Args:
        predictions: of a multi_label task, with thresholds
        split: valid or test
        kind: plain or tta

    Returns:
        The at most N_SHOWN labels of lowest F2; None if no picture of the split has a label.
    """
    chosen = predictions.labelled(split)
    truth, probabilities = chosen.multi_hot(), chosen.probabilities(kind)
    present = np.flatnonzero(truth.any(axis=0))
    if not len(present):
        return None
    thresholds = predictions.thresholds[kind]
    now = label_f2(decide(probabilities, thresholds), truth)  # (K,)
    worst = present[np.argsort(now[present], kind="stable")]
    shown = tuple(
        _curve(predictions.classes[k], probabilities[:, [k]], truth[:, [k]], thresholds[k], now[k])
        for k in worst[:N_SHOWN].tolist()
    )
    absent = [name for k, name in enumerate(predictions.classes) if k not in present]
    return ThresholdsChart(
        shown, _rest(now[worst[N_SHOWN:]], absent, split), TICKS, from_top(TICKS)
    )


def label_f2(decided: Bools, truth: Bools) -> Floats:
    """F2 of each label over all pictures at once: (N, K), (N, K) -> (K,), in [0, 1]."""
    counts = label_counts(decided, truth)
    return f_beta_of_counts(counts.hits, counts.decided, counts.actual)


def _curve(
    name: str, probabilities: Floats, truth: Bools, threshold: float, now: float
) -> LabelCurve:
    """The plot of one label: (N, 1), (N, 1)."""
    # One threshold a column: (N, 1) >= (T,) -> (N, T).
    scores = label_f2(probabilities >= GRID, np.broadcast_to(truth, (len(truth), len(GRID))))
    best = int(scores.argmax())
    chosen, top = f"F2 {now:.3f} at {threshold:.2f}", float(scores[best])
    highest = f"highest {top:.3f} at {GRID[best]:.2f}" if top > now else ""
    line = series("score", name, 100 * GRID, 100 * scores)
    return LabelCurve(name, line, number(100 * threshold), number(100 - 100 * now), chosen, highest)


def _rest(others: Floats, absent: list[str], split: str) -> str:
    """What is not drawn, in words."""
    sentences = []
    if len(others):
        one, low, high = len(others) == 1, others[0], others[-1]
        have = f"label has F2 {low:.3f}" if one else f"labels have F2 {low:.3f} to {high:.3f}"
        sentences.append(f"Not drawn: {len(others)} other {have}.")
    if absent:
        named = ", ".join(absent[:N_SHOWN]) + (", …" if len(absent) > N_SHOWN else "")
        sentences.append(f"No picture of {split} has: {named}.")
    return " ".join(sentences)
