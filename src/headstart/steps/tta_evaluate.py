"""Plain and TTA predictions of each checkpoint on valid and test, and their scores.

Axis letters: V augmented views, N images, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from headstart.core import intervals, metrics
from headstart.core.metrics import Floats, Ints
from headstart.core.section import Section
from headstart.core.tta import Mean, mean_of_views
from headstart.store.index import Labels
from headstart.store.predictions import Predictions

Predict = Callable[[Sequence[str]], Mapping[str, Floats]]
"""Ids of N pictures -> for each checkpoint, in the recipe's order, probabilities (1 + V, N, K),
rows as the ids, plain view first."""


class TtaEvaluateParams(Section):
    """Section `tta_evaluate`: the views that are averaged and the intervals of the scores."""

    n_views: int = Field(
        ge=0, description="augmented views a picture beside the plain one; 0: none"
    )
    mean: Mean = Field(description="arithmetic, geometric or weighted mean of the probabilities")
    plain_weight: float = Field(
        ge=0, le=1, description="share of the plain view in the weighted mean, 0 to 1"
    )
    confidence: float = Field(gt=0, lt=1, description="level of the intervals, such as 0.95")
    n_bootstrap: int = Field(
        ge=100, description="resamples behind the intervals of log loss and macro-F1"
    )
    seed: int = Field(ge=0, description="of the augmented views and of the resamples")


@dataclass(frozen=True)
class Evaluation:
    """What each checkpoint says, and how good it is."""

    predictions: dict[str, Predictions]
    """Of valid, then test, sorted by id; by checkpoint, the final one under `predictions`."""
    metrics: dict[str, Any]
    """valid and test of the final checkpoint; checkpoints.<name>.valid and .test of each."""


def tta_evaluate(labels: Labels, predict: Predict, params: TtaEvaluateParams) -> Evaluation:
    """Predict valid and test with every checkpoint and score what is labelled.

    A key of what does not exist (a split, its labels, a class in it) is absent. Pictures without a
    label are predicted, with a null target, and count in no score.

    Args:
        labels: of a single_label task
        predict: called once a split with its ids; what checkpoints share is computed once there
        params: section tta_evaluate

    Raises:
        ValueError: the task is multi_label, there is neither valid nor test, or probabilities have
            another shape than (1 + n_views, N, K).
    """
    if labels.task != "single_label":
        raise ValueError(f"tta_evaluate scores one class a picture; the task is {labels.task}.")
    splits = [split for split in labels.splits() if split != "train"]
    if not splits:
        raise ValueError("tta_evaluate has nothing to predict: no picture is in valid or test.")
    rows = pd.concat([_rows(labels, split) for split in splits], ignore_index=True)
    views: dict[str, list[Floats]] = {}
    for split in splits:
        ids = labels.ids(split)
        for name, array in predict(ids).items():
            expected = (1 + params.n_views, len(ids), len(labels.classes))
            if array.shape != expected:
                raise ValueError(f"views of {name} on {split}: {array.shape}, not {expected}.")
            views.setdefault(name, []).append(np.asarray(array, np.float64))
    predictions = {}
    for name, parts in views.items():
        joined = np.concatenate(parts, axis=1)  # along N
        tta = mean_of_views(joined, params.mean, params.plain_weight)
        predictions[name] = Predictions(labels.classes, rows, joined, tta)
    scores = {name: _scores_by_split(table, params) for name, table in predictions.items()}
    final = list(predictions)[-1]  # what the recipe ends with
    return Evaluation(
        {"predictions" if name == final else name: table for name, table in predictions.items()},
        {**scores[final], "checkpoints": scores},
    )


def _score(
    probabilities: Floats, targets: Ints, classes: Sequence[str], params: TtaEvaluateParams
) -> dict[str, Any]:
    """Scores of N ≥ 1 labelled pictures, each with its interval (`_ci_low`, `_ci_high`).

    Returns:
        n_pictures; accuracy, log_loss and macro_f1; recall by the names of the classes that occur.
        Proportions have Wilson's interval, the others a bootstrap over pictures.
    """
    counts = metrics.confusion_matrix(
        metrics.predicted_classes(probabilities), targets, len(classes)
    )
    level, n_bootstrap = params.confidence, params.n_bootstrap
    # A generator each, so that no score's interval depends on which others are asked for.
    of_loss, of_f1 = (
        np.random.default_rng([params.seed, 0]),
        np.random.default_rng([params.seed, 1]),
    )
    losses = metrics.log_losses(probabilities, targets)
    n, n_hits = len(targets), int(counts.trace())
    values: dict[str, Any] = {"n_pictures": n}
    for name, value, (low, high) in (
        ("accuracy", metrics.accuracy(counts), intervals.wilson(n_hits, n, level)),
        (
            "log_loss",
            metrics.log_loss(probabilities, targets),
            intervals.bootstrap_mean(losses, n_bootstrap, level, of_loss),
        ),
        (
            "macro_f1",
            metrics.macro_f1(counts),
            intervals.bootstrap_macro_f1(counts, n_bootstrap, level, of_f1),
        ),
    ):
        values |= {name: value, f"{name}_ci_low": low, f"{name}_ci_high": high}
    recalls = metrics.recalls(counts)
    ends = {k: intervals.wilson(int(counts[k, k]), int(counts[k].sum()), level) for k in recalls}
    values["recall"] = {classes[k]: recall for k, recall in recalls.items()}
    values["recall_ci_low"] = {classes[k]: low for k, (low, _) in ends.items()}
    values["recall_ci_high"] = {classes[k]: high for k, (_, high) in ends.items()}
    return values


def _rows(labels: Labels, split: str) -> pd.DataFrame:
    """Columns id, split, target of one split; target is <NA> where there is no label."""
    ids, labelled = labels.ids(split), labels.labelled(split)
    known = dict(zip(labelled, labels.targets(labelled).tolist(), strict=True))
    targets = pd.array([known.get(picture) for picture in ids], dtype="Int64")
    return pd.DataFrame({"id": ids, "split": split, "target": targets})


def _scores_by_split(predictions: Predictions, params: TtaEvaluateParams) -> dict[str, Any]:
    """<split>.plain and <split>.tta for each split with labelled pictures."""
    table = predictions.table
    scores: dict[str, Any] = {}
    for split in table["split"].unique():
        chosen = predictions.where((table["split"] == split) & table["target"].notna())
        targets = chosen.table["target"].to_numpy(np.int64)
        if len(targets):
            scores[str(split)] = {
                "plain": _score(chosen.views[0], targets, chosen.classes, params),
                "tta": _score(chosen.tta, targets, chosen.classes, params),
            }
    return scores
