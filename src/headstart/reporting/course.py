"""The course of the training, as its stages wrote it, and the figures of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from headstart.reporting.figures import epoch_curves_figure, lr_curve_figure

TITLES = {
    "find_lr_head": "Range test of the head",
    "train_head": "Head on the plain view",
    "train_augmented": "Head on augmented views",
    "find_lr_finetune": "Range test of the whole network",
    "unfreeze_finetune": "Fine-tuning",
}
"""Headings of the figures, by stage (in snake case)."""


@dataclass(frozen=True)
class Course:
    """What the training stages wrote, by stage (in snake case).

    Attributes:
        curves: the CSV of each range test: lr, loss, smoothed_loss.
        suggestions: the JSON of each range test: lr (or None), reason.
        epochs: the CSV of each training: one row per epoch, as `epoch_curves_figure` takes it.
        fine_tuning: the metrics of unfreeze_finetune, as `fine_tuning_note` takes them.
    """

    curves: Mapping[str, pd.DataFrame]
    suggestions: Mapping[str, Mapping[str, Any]]
    epochs: Mapping[str, pd.DataFrame]
    fine_tuning: Mapping[str, Any]

    def figures(self, score: str) -> dict[str, Figure]:
        """The figure of each range test and training, by file name: `find_lr_head.png`, ...

        Args:
            score: name of the score of the trainings: accuracy or F2.
        """
        found = {
            stage: lr_curve_figure(curve, **self.suggestions[stage], title=TITLES[stage])
            for stage, curve in self.curves.items()
        }
        found |= {
            stage: epoch_curves_figure(table, TITLES[stage], score)
            for stage, table in self.epochs.items()
        }
        return {f"{stage}.png": figure for stage, figure in found.items()}
