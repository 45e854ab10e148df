"""The confusion of labels where a picture has any number of them, each given from its threshold on.

Axis letters: N images, K labels, E events. An event is one label of one picture: found, missed
(true but not given) or extra (given but not true).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from headstart.reporting.confusion import Pick, Remark, confused_pairs, two_by_two_tables
from headstart.scores.metrics import Floats, Ints, confusion_matrix
from headstart.scores.multi_label import Bools
from headstart.scores.thresholds import decide

LINE = 30
"""Characters per line of a caption; a longer line ends in an ellipsis."""


@dataclass(frozen=True)
class LabelConfusion:
    """The errors on N labelled pictures; has the methods of class_confusion.ClassConfusion."""

    labels: tuple[str, ...]
    """(K) their names."""
    probabilities: Floats
    """(N, K)"""
    truth: Bools
    """(N, K) whether a picture has a label."""
    thresholds: tuple[float, ...]
    """(K)"""

    @cached_property
    def decided(self) -> Bools:
        """(N, K) whether a picture was given a label."""
        return decide(self.probabilities, self.thresholds)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(K + 1) the labels, and last a name for "no label", which none of them has."""
        return (*self.labels, none_name(self.labels))

    def matrix(self) -> Ints:
        """Counts (K + 1, K + 1) of label_events, rows actual, columns predicted."""
        _, actual, predicted = label_events(self.decided, self.truth).T
        return confusion_matrix(predicted, actual, len(self.names))

    def events(self) -> pd.DataFrame:
        """One row per event: actual, predicted, p_actual, p_predicted; the index is its row of N.

        The probability of "no label" is NaN.
        """
        rows, actual, predicted = label_events(self.decided, self.truth).T
        names = np.array(self.names, object)
        none = np.full((len(self.truth), 1), np.nan)
        probabilities = np.hstack([self.probabilities, none])  # (N, K + 1)
        return pd.DataFrame(
            {
                "actual": names[actual],
                "predicted": names[predicted],
                "p_actual": probabilities[rows, actual],
                "p_predicted": probabilities[rows, predicted],
            },
            index=rows,
        )

    def pairs(self) -> pd.DataFrame:
        """Which label is given in place of which: see confused_pairs; without "no label"."""
        pairs = confused_pairs(self.matrix(), self.names)
        none = pairs[["actual", "predicted"]].isin([self.names[-1]]).any(axis=1)
        return pairs[~none].reset_index(drop=True)

    def tables(self) -> pd.DataFrame:
        """The 2 x 2 table of each label: see two_by_two_tables."""
        return two_by_two_tables(self.decided, self.truth, self.labels, self.thresholds)

    def picked(self, pick: Pick, n: int) -> list[Ints]:
        """For each label, the rows of up to `n` pictures, the most telling first.

        The pictures are ordered by the probability of the label. most_correct: where it is found,
        highest first. most_wrong: where it is missed, lowest first, then where it is extra, highest
        first. most_uncertain: all pictures, nearest to the threshold first.
        """
        return [self._picked(pick, number)[:n] for number in range(len(self.labels))]

    def remarks(self, row: int, number: int) -> list[Remark]:
        """The missed and the extra labels of a picture, and one label's probability and threshold.

        Args:
            row: of N
            number: of the label whose row of the sheet shows the picture
        """
        value = Remark("", f"{self.labels[number]} {self._value(row, number)}")
        return [*(self._wrong(row, number) or [Remark("", "all labels right")]), value]

    def right(self, row: int, number: int) -> bool:
        """Whether the label `number` of the picture is right, whatever the others are."""
        return bool(self.decided[row, number] == self.truth[row, number])

    def explained(self, row: int, number: int) -> int:
        """The label of which an overlay shows where it was seen: `number`, given or not."""
        return number

    def caption(self, row: int, number: int) -> str:
        """The remarks as lines of a contact sheet, each of at most LINE characters."""
        wrong = [_short(f"{word}: {text}", LINE) for word, text in self._wrong(row, number)]
        value = self._value(row, number)
        name = _short(self.labels[number], LINE - 1 - len(value))
        return "\n".join([*(wrong or ["all labels right"]), f"{name} {value}"])

    def numbers(self) -> dict[str, int]:
        """n_pictures; n_errors: pictures with a wrong label; n_missed, n_extra: labels."""
        missed, extra = self.truth & ~self.decided, self.decided & ~self.truth
        return {
            "n_pictures": len(self.truth),
            "n_errors": int((missed | extra).any(axis=1).sum()),
            "n_missed": int(missed.sum()),
            "n_extra": int(extra.sum()),
        }

    def _wrong(self, row: int, number: int) -> list[Remark]:
        """The missed and the extra labels, if there are any; the label `number` comes first."""
        said, has = self.decided[row], self.truth[row]
        remarks = []
        for word, which in (("missed", has & ~said), ("extra", said & ~has)):
            wrong = sorted(which.nonzero()[0].tolist(), key=lambda label: (label != number, label))
            if wrong:
                remarks.append(Remark(word, ", ".join(self.labels[label] for label in wrong)))
        return remarks

    def _value(self, row: int, number: int) -> str:
        """The probability of a label against its threshold."""
        sign = "≥" if self.decided[row, number] else "<"
        return f"{self.probabilities[row, number]:.3f} {sign} {self.thresholds[number]:.2f}"

    def _picked(self, pick: Pick, number: int) -> Ints:
        p, said, has = self.probabilities[:, number], self.decided[:, number], self.truth[:, number]
        match pick:
            case "most_correct":
                return _first(has & said, -p)
            case "most_wrong":
                return np.concatenate([_first(has & ~said, p), _first(said & ~has, -p)])
            case "most_uncertain":
                return _first(has | True, abs(p - self.thresholds[number]))


def label_events(decided: Bools, truth: Bools) -> Ints:
    """Which label is given in place of which, 2 x (N, K) -> (E, 3): row of N, actual, predicted.

    The number K stands for no label. A found label is its own prediction. A missed label counts
    once against each label that is extra on its picture, or against K where nothing is extra; an
    extra label counts against K where nothing is missed. A picture without labels that was given
    none is one event (K, K), so that every picture has an event. Events are in the order of N.

    Related: M. Heydarian, T. E. Doyle, R. Samavi, MLCM: Multi-Label Confusion Matrix, IEEE Access
    10 (2022) 19083. There an extra label counts against each true label of its picture where
    nothing is missed; here a label that was found has no part in an error.
    """
    none = truth.shape[1]
    events: list[tuple[int, int, int]] = []
    for row, (said, has) in enumerate(zip(decided, truth, strict=True)):
        found, missed, extra = (
            which.nonzero()[0].tolist() for which in (said & has, has & ~said, said & ~has)
        )
        events += [(row, label, label) for label in found]
        if missed or extra or not found:
            events += [(row, a, p) for a in missed or [none] for p in extra or [none]]
    return np.array(events, np.int64).reshape(-1, 3)


def none_name(labels: Sequence[str]) -> str:
    """`(none)`, in more brackets if a label has this name."""
    name = "(none)"
    while name in labels:
        name = f"({name})"
    return name


def _first(candidates: Bools, keys: Floats) -> Ints:
    """Rows of the candidates, lowest key first; equal keys stay in order."""
    order = np.argsort(keys, kind="stable")
    return np.asarray(order[candidates[order]], np.int64)


def _short(text: str, n: int) -> str:
    return text if len(text) <= n else text[: n - 1] + "…"
