"""Predict the plain view and augmented views of valid and test with each checkpoint.

Axis letters: V augmented views, N images, K classes.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from pydantic import Field

from headstart.labels.labels import Labels
from headstart.prediction.stored_views import Floats, StoredViews
from headstart.project.section import Section

Predict = Callable[[Sequence[str]], Mapping[str, Floats]]
"""Ids of N pictures -> probabilities (1 + V, N, K) by checkpoint, in the recipe's order.

The plain view comes first; N is in the order of the ids."""


class PredictViewsParams(Section):
    """Section `predict_views`: the views, and whether snapshots are averaged."""

    n_views: int = Field(
        ge=0,
        le=1000,
        description="augmented views per picture besides the plain one, 0 to 1,000; 0: none",
    )
    snapshots: bool = Field(
        description="whether the final prediction is the mean over the snapshots "
        "(unfreeze_finetune.n_snapshots); each snapshot costs one more prediction of every picture"
    )
    seed: int = Field(ge=0, description="seed of the augmented views, at least 0")


def predict_views(labels: Labels, predict: Predict, params: PredictViewsParams) -> StoredViews:
    """Predict the pictures of valid and test, labelled or not, with every checkpoint.

    Where there is neither valid nor test, there are no rows.

    Args:
        labels: the split of each picture; targets are not used
        predict: called once for each split, with its ids; without valid and test it is called
            once, with no ids. It computes once what checkpoints share.
        params: section predict_views

    Raises:
        ValueError: the shape of probabilities is not (1 + n_views, N, K).
    """
    # without valid and test, an empty valid gives the tables without rows
    splits = [split for split in labels.splits() if split != "train"] or ["valid"]
    found: dict[str, list[Floats]] = {}
    for split in splits:
        ids = labels.ids(split)
        for name, array in predict(ids).items():
            expected = (1 + params.n_views, len(ids), len(labels.classes))
            if array.shape != expected:
                raise ValueError(
                    f"the views of {name} on {split} have shape {array.shape}, not {expected}."
                )
            found.setdefault(name, []).append(np.asarray(array, np.float64))
    rows = [(picture, split) for split in splits for picture in labels.ids(split)]
    # without rows pandas cannot infer the type
    table = pd.DataFrame(rows, columns=["id", "split"]).astype(str)
    joined = {name: np.concatenate(parts, axis=1) for name, parts in found.items()}  # along N
    return StoredViews(labels.classes, labels.task, table, joined)
