"""What the weights that valid chose are worth on pictures that did not choose them.

The weights that a training keeps score too well on valid, because they were chosen for that. Here each
fold of valid is scored by the weights that the same rule would have kept, judged by the other folds.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from headstart.labels.task import SCORE, Task
from headstart.scores.folds import cross_chosen, folds_of
from headstart.training.best_weights import BestWeights
from headstart.training.outcome import FitResult, Point
from headstart.training.stop_rule import StopRule


def chosen_scores(
    result: FitResult, rule: StopRule, groups: Sequence[str], task: Task
) -> dict[str, float]:
    """The scores on valid of the weights that valid chose, without the optimism of the choice.

    The other folds can keep or stop only at points that the training reached. Where they would have
    stopped a phase earlier, the next phase is scored as it was trained.

    Args:
        result: of a training that `rule` judged.
        rule: what is kept, and when a phase ends.
        groups: of the N pictures of valid, in the order of their scores; a group is in one fold.
        task: names the score.

    Returns:
        log_loss, and accuracy or f2, of each picture by the weights that the other folds choose;
        <score>_claimed, that of the kept weights, which all of valid chose; <score>_optimism, by how
        much the latter is better; and n_points, among which they were chosen. Empty where valid
        chooses nothing, or has fewer groups than folds.
    """
    points, folds = result.points, folds_of(groups)
    chooses = rule.keep == "best" or rule.stop
    if not (chooses and result.kept and folds.any()):
        return {}
    scores = [np.stack([p.scores.log_losses, p.scores.scores], axis=1) for p in points]  # (N, 2)
    unseen = cross_chosen(scores, folds, lambda others: kept_point(points, rule, others))
    log_loss, score = unseen.mean(axis=0).tolist()
    kept = result.kept
    return {
        "n_points": len(points),
        **_beside("log_loss", log_loss, kept.log_loss, log_loss - kept.log_loss),
        **_beside(SCORE[task].lower(), score, kept.score, kept.score - score),
    }


def kept_point(points: Sequence[Point], rule: StopRule, rows: NDArray[np.bool_]) -> int:
    """The number of the point whose weights `rule` keeps if it is judged by some pictures alone.

    Args:
        points: in order.
        rule: as in the training.
        rows: (N,) marks the pictures that judge, at least one.
    """
    best = BestWeights(nn.Module(), rule)  # a model without weights: only scores are compared
    stopped: int | None = None
    last = points[0]
    for point in points:
        if point.ends_cycle and point.phase == stopped:
            continue
        last = point
        if best.judge(replace(point, scores=point.scores.of(rows))):
            if best.standing.worse_first_cycle:
                break
            stopped = point.phase
    kept = best.kept.point if best.kept else last
    places = [(point.epoch, point.phase) for point in points]
    return places.index((kept.epoch, kept.phase))


def _beside(name: str, value: float, claimed: float, optimism: float) -> dict[str, float]:
    return {name: value, f"{name}_claimed": claimed, f"{name}_optimism": optimism}
