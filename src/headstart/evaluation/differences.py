"""Score differences of two tables of predictions on the pictures that both hold.

The tables are two steps of one recipe, or the results of two runs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from headstart.evaluation.decisions import unseen_decisions, unseen_probabilities
from headstart.evaluation.paired import Difference, difference_of_means, difference_of_shares
from headstart.evaluation.predictions import Kind, Predictions
from headstart.evaluation.scoring import Scoring
from headstart.project.errors import HeadstartError
from headstart.scores.metrics import Floats, log_losses, predicted_classes
from headstart.scores.multi_label import binary_cross_entropies, f_beta
from headstart.scores.thresholds import Search


def shared_pictures(
    before: Predictions, after: Predictions, split: str
) -> tuple[Predictions, Predictions]:
    """The labelled pictures of `split` that both tables hold, in the same order.

    A picture whose labels differ between the tables is left out.

    Raises:
        HeadstartError: the tasks or the classes of the tables differ.
    """
    if (before.task, before.classes) != (after.task, after.classes):
        raise HeadstartError(
            "Scores can be compared picture by picture only between runs of the same classes; found "
            f"{_said(before)} and {_said(after)}."
        )
    first, second = before.labelled(split), after.labelled(split)
    both = _labels_by_id(first).items() & _labels_by_id(second).items()
    ids = [picture for picture, _ in both]
    # Each table is sorted by id, so the rows that are left have the same order.
    return _only(first, ids), _only(second, ids)


def score_differences(
    before: Predictions,
    after: Predictions,
    split: str,
    kinds: tuple[Kind, Kind],
    search: Search,
    scoring: Scoring,
) -> dict[str, Difference]:
    """Scores of `after` less those of `before`, on the labelled pictures of one split.

    Args:
        before: as shared_pictures returned it.
        after: as shared_pictures returned it, with the same pictures in the same order.
        split: of these pictures; calibrated and decided as in evaluation.decisions.
        kinds: predictions of `before` and of `after` that are used, plain or tta.
        search: of thresholds, tta_evaluate.thresholds; single_label has none.
        scoring: of the intervals.

    Returns:
        accuracy, or f2 of multi_label; and log_loss, where less is better. Empty without pictures.
    """
    if not len(before.table):
        return {}
    tables = zip((before, after), kinds, strict=True)
    hits, losses = zip(
        *(_scores(table, split, kind, search) for table, kind in tables), strict=True
    )
    name = "accuracy" if before.task == "single_label" else "f2"
    if name == "accuracy":
        of_score = difference_of_shares(hits[0] == 1, hits[1] == 1, scoring.confidence)
    else:
        of_score = _of_means(hits[0], hits[1], scoring, 1)
    return {name: of_score, "log_loss": _of_means(losses[0], losses[1], scoring, 0)}


def picture_scores(table: Predictions, split: str, kind: Kind, search: Search) -> Floats:
    """Score of each labelled picture of one split, (N,): 1 or 0 if right or wrong, or its F2."""
    return _scores(table, split, kind, search)[0]


def scoring_of(section: Mapping[str, Any]) -> Scoring:
    """The intervals that the section `tta_evaluate` of params.yaml asks for."""
    return Scoring(section["confidence"], section["n_bootstrap"], section["seed"])


def _scores(table: Predictions, split: str, kind: Kind, search: Search) -> tuple[Floats, Floats]:
    """Score and log loss of each picture, (N,) both."""
    probabilities = unseen_probabilities(table, split, kind)
    if table.task == "single_label":
        targets = table.class_numbers()
        right = (predicted_classes(probabilities) == targets).astype(np.float64)
        return right, log_losses(probabilities, targets)
    truth = table.multi_hot()
    decided = unseen_decisions(table, split, kind, search)
    return f_beta(decided, truth), binary_cross_entropies(probabilities, truth)


def _of_means(before: Floats, after: Floats, scoring: Scoring, place: int) -> Difference:
    draws = scoring.generator(place)
    return difference_of_means(before, after, scoring.n_bootstrap, scoring.confidence, draws)


def _only(table: Predictions, ids: list[str]) -> Predictions:
    return table.where(table.table["id"].isin(ids).to_numpy(bool))


def _labels_by_id(table: Predictions) -> dict[str, tuple[int, ...]]:
    rows = zip(table.table["id"], table.table["targets"], strict=True)
    return {picture: tuple(targets) for picture, targets in rows}


def _said(table: Predictions) -> str:
    names = ", ".join(table.classes[:5]) + (", …" if len(table.classes) > 5 else "")
    return f"{len(table.classes)} classes ({names}; {table.task})"
