"""Find labels that are probably wrong, in all splits, by the cached activations of the plain view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field

from headstart.activations.rows import ViewRows
from headstart.activations.stored import Activations
from headstart.auditing.folds import deal
from headstart.auditing.label_noise import doubt_classes, doubt_labels
from headstart.auditing.out_of_fold import components, out_of_fold_logits
from headstart.labels.labels import SPLITS, Labels
from headstart.project.section import Section

N_OTHERS = 2
"""Pictures with a label in the other folds, at least: fewer cannot show what the label means."""


class AuditLabelsParams(Section):
    """Section `audit_labels`: how labels are judged, and which are flagged."""

    n_folds: int = Field(
        ge=2, le=50, description="each is judged by what the other folds say, 2 to 50"
    )
    confidence: float = Field(
        ge=0.5,
        le=1.0,
        description="labels that are wrong with this probability are flagged, 0.5 to 1",
    )
    seed: int = Field(ge=0, description="of the folds, at least 0")


@dataclass(frozen=True)
class LabelAudit:
    """What is thought of the label of each labelled picture.

    Attributes:
        table: the most doubtful label first; columns rank (from 1), id, path, split, given,
            suggested (labels, separated by commas), p_given, p_suggested (out-of-fold probabilities
            that these are true; of many labels, of the most doubtful one), p_wrong (that the given
            label is wrong), flagged. What cannot be judged is last, without probabilities.
        metrics: n_pictures, n_judged, n_flagged; share_wrong, the mean of p_wrong, where any is
            judged; splits: n_pictures and n_flagged of each.
    """

    table: pd.DataFrame
    metrics: dict[str, Any]


@dataclass(frozen=True)
class _Judgement:
    """(N,) each, for N labelled pictures; class numbers of `suggested` in the order of the table."""

    suggested: list[list[int]]
    p_given: NDArray[np.float64]
    p_suggested: NDArray[np.float64]
    p_wrong: NDArray[np.float64]
    """NaN: not judged."""


def audit_labels(
    activations: Activations, labels: Labels, paths: Mapping[str, str], params: AuditLabelsParams
) -> LabelAudit:
    """Judge the label of each labelled picture by linear classifiers that did not see its fold.

    No group is in two folds. A class with fewer than N_OTHERS pictures in the other folds is not
    judged. The CPU computes it, so that the result does not depend on a GPU.

    Args:
        activations: of the plain view, of all pictures.
        labels: of all splits.
        paths: path of one file of each picture, by id.
        params: section audit_labels.

    Raises:
        ActivationsError: a labelled picture has no cached activations.
    """
    ids = sorted(picture for split in SPLITS for picture in labels.labelled(split))
    about = labels.table.set_index("id").loc[ids]
    given = [number or [] for number in labels.class_numbers(ids)]
    judgement = _judged(activations.of(ids)[0], labels, ids, about["group"].tolist(), params)
    table = pd.DataFrame(
        {
            "id": ids,
            "path": [paths[picture] for picture in ids],
            "split": about["split"].tolist(),
            "given": [_named(numbers, labels.classes) for numbers in given],
            "suggested": [_named(numbers, labels.classes) for numbers in judgement.suggested],
            "p_given": judgement.p_given.round(4),
            "p_suggested": judgement.p_suggested.round(4),
            "p_wrong": judgement.p_wrong,
        }
    ).sort_values(["p_wrong", "id"], ascending=[False, True])
    table.insert(0, "rank", range(1, len(table) + 1))
    table["flagged"] = table["p_wrong"] >= params.confidence
    judged = table["p_wrong"].dropna()
    table["p_wrong"] = table["p_wrong"].round(4)
    metrics: dict[str, Any] = {
        "n_pictures": len(table),
        "n_judged": len(judged),
        "n_flagged": int(table["flagged"].sum()),
    }
    if len(judged):
        metrics["share_wrong"] = float(judged.mean())
    metrics["splits"] = {
        split: {"n_pictures": int(of.sum()), "n_flagged": int(table["flagged"][of].sum())}
        for split in labels.splits()
        for of in [table["split"] == split]
    }
    return LabelAudit(table, metrics)


def _judged(
    features: ViewRows,
    labels: Labels,
    ids: Sequence[str],
    groups: Sequence[str],
    params: AuditLabelsParams,
) -> _Judgement:
    targets, k = labels.targets(ids), len(labels.classes)
    single = labels.task == "single_label"
    given = np.eye(k, dtype=bool)[targets] if single else targets > 0  # (N, K)
    folds = deal(_kinds(given), groups, params.n_folds, params.seed)
    known = _known(given, folds)
    judges = known[given] if single else known  # of one label a picture, only that label is judged
    if not judges.any() or (k < 2 and single):
        unknown = np.full(len(ids), np.nan)
        return _Judgement(_numbers(given), unknown, unknown, unknown)
    points = components(features)
    logits = out_of_fold_logits(points, torch.from_numpy(targets), folds, k, labels.task)
    if single:
        return _judge_classes(logits, given, known)
    return _judge_labels(logits, given, known, params.confidence)


def _judge_classes(
    logits: NDArray[np.float64], given: NDArray[np.bool_], known: NDArray[np.bool_]
) -> _Judgement:
    numbers, judged = given.argmax(axis=1), known[given]
    doubts = doubt_classes(logits[judged], numbers[judged])
    p = np.full(given.shape, np.nan)
    p[judged] = doubts.probabilities
    others = np.where(given | ~judged[:, None], -1, p)
    suggested = np.where(judged, others.argmax(axis=1), numbers)
    rows, wrong = np.arange(len(p)), np.full(len(p), np.nan)
    wrong[judged] = doubts.wrong
    return _Judgement([[n] for n in suggested], p[rows, numbers], p[rows, suggested], wrong)


def _judge_labels(
    logits: NDArray[np.float64],
    given: NDArray[np.bool_],
    known: NDArray[np.bool_],
    confidence: float,
) -> _Judgement:
    """A picture is as doubtful as the most doubtful of its labels, given or missing."""
    doubts = doubt_labels(logits, given, known)
    rows, worst = np.arange(len(given)), doubts.wrong.argmax(axis=1)
    changed = doubts.wrong >= confidence
    changed[rows, worst] = True
    present, judged = doubts.probabilities[rows, worst], known.any(axis=1)
    p_given = np.where(judged, np.where(given[rows, worst], present, 1 - present), np.nan)
    wrong = np.where(judged, doubts.wrong[rows, worst], np.nan)
    return _Judgement(_numbers(given ^ (changed & known)), p_given, 1 - p_given, wrong)


def _kinds(given: NDArray[np.bool_]) -> list[int]:
    """The rarest label of each picture, so that the folds share the rare ones; 0: none."""
    rarity = np.where(given, -given.sum(axis=0), -len(given) - 1)  # (N, K)
    kinds: list[int] = np.where(given.any(axis=1), rarity.argmax(axis=1) + 1, 0).tolist()
    return kinds


def _known(given: NDArray[np.bool_], folds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N, K): do the other folds have at least N_OTHERS pictures with the label and without it?"""
    known = np.zeros(given.shape, bool)
    for fold in np.unique(folds):
        others = given[folds != fold]
        n_with = others.sum(axis=0)
        known[folds == fold] = np.minimum(n_with, len(others) - n_with) >= N_OTHERS
    return known


def _numbers(given: NDArray[np.bool_]) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in given]


def _named(numbers: Sequence[int], classes: Sequence[str]) -> str:
    return ", ".join(classes[number] for number in numbers)
