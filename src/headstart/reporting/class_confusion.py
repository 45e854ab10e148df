"""The confusion of classes where each picture has exactly one; the most probable is predicted.

Axis letters: N images, K classes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from headstart.reporting.confusion import (
    Pick,
    Remark,
    confused_pairs,
    picked_rows,
    two_by_two_tables,
)
from headstart.scores.metrics import Floats, Ints, confusion_matrix, predicted_classes


@dataclass(frozen=True)
class ClassConfusion:
    """The errors on N labelled pictures; has the methods of label_confusion.LabelConfusion."""

    names: tuple[str, ...]
    """(K) the classes."""
    probabilities: Floats
    """(N, K)"""
    targets: Ints
    """(N,) class numbers."""

    @cached_property
    def predicted(self) -> Ints:
        """(N,) class numbers."""
        return predicted_classes(self.probabilities)

    def matrix(self) -> Ints:
        """Counts (K, K), rows actual, columns predicted."""
        return confusion_matrix(self.predicted, self.targets, len(self.names))

    def events(self) -> pd.DataFrame:
        """One row per picture: actual, predicted, p_actual, p_predicted; the index is its row of N."""
        every, names = np.arange(len(self.targets)), np.array(self.names, object)
        return pd.DataFrame(
            {
                "actual": names[self.targets],
                "predicted": names[self.predicted],
                "p_actual": self.probabilities[every, self.targets],
                "p_predicted": self.probabilities[every, self.predicted],
            }
        )

    def pairs(self) -> pd.DataFrame:
        """Which class is predicted in place of which: see confused_pairs."""
        return confused_pairs(self.matrix(), self.names)

    def tables(self) -> pd.DataFrame:
        """The 2 x 2 table of each class, without thresholds: see two_by_two_tables."""
        every = np.arange(len(self.names))
        decided, truth = self.predicted[:, None] == every, self.targets[:, None] == every
        return two_by_two_tables(decided, truth, self.names)

    def picked(self, pick: Pick, n: int) -> list[Ints]:
        """For each class, the rows of up to `n` of its pictures: see picked_rows."""
        return picked_rows(pick, self.probabilities, self.targets, n)

    def remarks(self, row: int, number: int) -> list[Remark]:
        """The predicted class of a picture and, if it is wrong, the actual one.

        Args:
            row: of N
            number: of the class whose row of the sheet shows the picture; not used here
        """
        said, true = int(self.predicted[row]), int(self.targets[row])
        of_picture = {"predicted": said} if said == true else {"predicted": said, "actual": true}
        return [
            Remark(word, f"{self.names[k]} {self.probabilities[row, k]:.2f}")
            for word, k in of_picture.items()
        ]

    def right(self, row: int, number: int) -> bool:
        """Whether the picture's prediction is right; `number` as in remarks."""
        return bool(self.predicted[row] == self.targets[row])

    def explained(self, row: int, number: int) -> int:
        """The class of which an overlay shows where it was seen: the predicted one."""
        return int(self.predicted[row])

    def caption(self, row: int, number: int) -> str:
        """The remarks as lines of a contact sheet."""
        predicted, *actual = [remark.text for remark in self.remarks(row, number)]
        return "\n".join([f"→ {predicted}", *actual])

    def numbers(self) -> dict[str, int]:
        """n_pictures; n_errors: wrong pictures."""
        n_errors = int((self.predicted != self.targets).sum())
        return {"n_pictures": len(self.targets), "n_errors": n_errors}
