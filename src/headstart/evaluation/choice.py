"""What a choice by valid is worth on pictures that did not choose: the score of cross-fitting.

A checkpoint that was chosen because it scores well on valid scores too well there. Here each fold of
valid is scored by the checkpoint that the other folds choose.
"""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from headstart.evaluation.differences import picture_scores
from headstart.evaluation.intervals import wilson
from headstart.evaluation.predictions import Floats, Kind, Predictions
from headstart.evaluation.scoring import Scoring
from headstart.scores.folds import cross_chosen
from headstart.scores.thresholds import Search

KINDS: tuple[Kind, ...] = get_args(Kind)


def choice_scores(
    checkpoints: Mapping[str, Predictions], search: Search, scoring: Scoring
) -> dict[str, Any]:
    """The score on valid of a choice among the checkpoints by valid, without its optimism.

    Chosen is the checkpoint with the highest score (accuracy, or F2 of multi_label); of equals the
    last. This covers the choice among the steps of the recipe; that of an epoch within fine-tuning
    is in the metrics of unfreeze_finetune (`training.chosen`).

    Args:
        checkpoints: predictions by checkpoint, in the order of the recipe.
        search: tta_evaluate.thresholds.
        scoring: of the intervals.

    Returns:
        by kind, plain and tta: the score with its interval; <score>_claimed, that of the checkpoint
        which all of valid chooses; and <score>_optimism, the latter less the former. Empty with fewer
        than two checkpoints, or without labelled pictures in valid.
    """
    tables = [predictions.labelled("valid") for predictions in checkpoints.values()]
    if len(tables) < 2 or not len(tables[0].table):
        return {}
    folds = tables[0].folds()
    found: dict[str, Any] = {}
    for kind in KINDS:
        scores = np.stack([picture_scores(table, "valid", kind, search) for table in tables])
        found[kind] = _scored(best_elsewhere(scores, folds), scores, tables[0].task, scoring)
    return found


def best_elsewhere(scores: Floats, folds: NDArray[np.int64]) -> Floats:
    """The score of each picture (N,) by the checkpoint that is best on the other folds.

    Args:
        scores: (C, N) of each picture by C checkpoints; of equal means, the last one is chosen.
        folds: (N,) as scores.folds.folds_of; pictures that are all in one fold choose the last one.
    """
    return cross_chosen([*scores], folds, lambda others: _best(scores[:, others]))


def _best(scores: Floats) -> int:
    """The last of the checkpoints (C, N) with the highest sum."""
    sums = scores.sum(axis=1)
    return int(np.flatnonzero(sums >= sums.max() - 1e-9)[-1])


def _scored(unseen: Floats, scores: Floats, task: str, scoring: Scoring) -> dict[str, float]:
    value, claimed = float(unseen.mean()), float(scores.mean(axis=1).max())
    if task == "single_label":
        name, ends = "accuracy", wilson(float(unseen.sum()), len(unseen), scoring.confidence)
    else:
        name, ends = "f2", scoring.of_mean(unseen, 1)
    return {
        name: value,
        f"{name}_ci_low": ends[0],
        f"{name}_ci_high": ends[1],
        f"{name}_claimed": claimed,
        f"{name}_optimism": claimed - value,
    }
