"""Average, calibrate and score the stored predictions of each checkpoint; without torch.

Axis letters: V augmented views, N images, K classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self, get_args

import pandas as pd
from pydantic import Field, model_validator

from headstart.evaluation.choice import choice_scores
from headstart.evaluation.costs import cost_matrix
from headstart.evaluation.decisions import unseen_decisions, unseen_probabilities
from headstart.evaluation.predictions import Kind, Predictions
from headstart.evaluation.scoring import (
    Scoring,
    calibration_gains,
    calibration_scores,
    class_scores,
    cost_scores,
    label_scores,
)
from headstart.evaluation.tta import Mean, mean_of_label_views, mean_of_views
from headstart.labels.labels import Labels
from headstart.prediction.stored_views import StoredViews
from headstart.project.section import Section
from headstart.scores.calibration import Calibration, find_temperature
from headstart.scores.metrics import Floats
from headstart.scores.thresholds import Search, decide, find_thresholds

KINDS: tuple[Kind, ...] = get_args(Kind)
OF_THE_FINAL = ("precision", "f1", "roc_auc_of")
"""Scores by class that the final checkpoint alone gets: of 120 classes, the others' would be thousands
of numbers more, which a tracker takes long to store."""

Cost = Annotated[float, Field(ge=0)]
OfOneClass = Annotated[dict[str, Cost], Field(min_length=1)]


class TtaEvaluateParams(Section):
    """Section `tta_evaluate`: how views are averaged, and the intervals of the scores."""

    mean: Mean = Field(description="arithmetic, geometric or weighted mean of the probabilities")
    plain_weight: float = Field(
        ge=0, le=1, description="share of the plain view in the weighted mean, 0 to 1"
    )
    calibration: Calibration = Field(
        description="of all probabilities, by valid: temperature (one for the plain view, one for TTA) "
        "or none"
    )
    thresholds: Search = Field(
        description="multi_label: one threshold for all labels (global) or one per label "
        "(per_label), found on valid"
    )
    costs: Annotated[dict[str, OfOneClass], Field(min_length=1)] | None = Field(
        description="single_label: what wrong decisions cost, true class: predicted class: a number, "
        "at least 0; a pair that is not named costs 1, the right class 0; or null"
    )
    confidence: float = Field(
        ge=0.5, le=0.9999, description="level of the intervals, 0.5 to 0.9999, such as 0.95"
    )
    n_bootstrap: int = Field(
        ge=100,
        le=1_000_000,
        description="resamples behind the intervals of log loss, macro-F1, F2 and mAP, 100 to "
        "1,000,000",
    )
    seed: int = Field(ge=0, description="seed of the resamples, at least 0")

    @model_validator(mode="after")
    def _right_class_is_free(self) -> Self:
        for name, of_true in (self.costs or {}).items():
            if cost := of_true.get(name):
                raise ValueError(f"costs.{name}.{name} is {cost:g}, but the right class costs 0")
        return self


@dataclass(frozen=True)
class Evaluation:
    """Predictions and scores of each checkpoint."""

    predictions: dict[str, Predictions]
    """By checkpoint, the final one as `predictions`; rows: valid, then test, each sorted by id."""
    metrics: dict[str, Any]
    """valid and test: scores of the final checkpoint; choice: as choice_scores;
    checkpoints.<name>.valid and .test: scores of each."""
    costs: Floats | None
    """(K, K) of every decision, as evaluation.costs; None where params name none."""

    @property
    def temperatures(self) -> Mapping[Kind, float]:
        """Temperatures of the final checkpoint, which every later prediction uses."""
        return self.predictions["predictions"].temperatures

    @property
    def thresholds(self) -> Mapping[Kind, tuple[float, ...]]:
        """Thresholds of the final checkpoint, which every later prediction uses."""
        return self.predictions["predictions"].thresholds


def tta_evaluate(labels: Labels, views: StoredViews, params: TtaEvaluateParams) -> Evaluation:
    """Average the views of every checkpoint, calibrate them, and score the labelled pictures.

    Metrics lack the keys of a split, labels or a class that does not exist. Pictures without a
    label are in the predictions, with null targets, and count in no score.

    calibration: a temperature is found on the labelled pictures of valid, for each checkpoint and
    separately for plain and TTA; then the scores of probabilities are those of calibrated ones. No
    picture is scored at a temperature that it helped to find: test is scored at that of valid, valid
    by cross-fitting. Without labelled pictures in valid, nothing is calibrated.

    multi_label: thresholds are searched on the calibrated probabilities of the same pictures. No
    picture is scored at thresholds that it helped to find, in the same way. `f2_claimed` and
    `f2_optimism` show what the search itself would have promised. Without labelled pictures in
    valid, the threshold is DEFAULT_THRESHOLD.

    costs: `cost` is that of the likeliest class, `cost_decided` that of the class whose expected cost
    is lowest by the calibrated probabilities; all other scores are of the likeliest class.

    Without valid and test, the predictions have no rows and the metrics no scores.

    Args:
        labels: splits and targets
        views: probabilities of each view by each checkpoint
        params: section tta_evaluate

    Raises:
        ValueError: task, classes or pictures of the views differ from those of the labels.
        CostsError: params.costs names a class that there is not.
    """
    if (views.task, views.classes) != (labels.task, labels.classes):
        raise ValueError("the views were predicted for another task or other classes.")
    costs = None if params.costs is None else cost_matrix(params.costs, labels.classes)
    targets = pd.Series(labels.class_numbers(views.rows["id"].tolist()), dtype=object)
    groups = labels.table.set_index("id")["group"].loc[views.rows["id"]]
    rows = views.rows.assign(targets=targets, group=pd.Series(groups.tolist(), dtype=str))
    average = mean_of_views if labels.task == "single_label" else mean_of_label_views
    predictions = {}
    for name, said in views.probabilities.items():
        tta = average(said, params.mean, params.plain_weight)
        table = Predictions(labels.classes, rows, said, tta, labels.task)
        predictions[name] = _decided_by_valid(table, params)
    final = views.final
    scores = {
        name: _scores_by_split(table, params, costs, () if name == final else OF_THE_FINAL)
        for name, table in predictions.items()
    }
    named = {"predictions" if name == final else name: of for name, of in predictions.items()}
    choice = choice_scores(predictions, params.thresholds, _scoring(params))
    metrics = {**scores[final], **({"choice": choice} if choice else {}), "checkpoints": scores}
    return Evaluation(named, metrics, costs)


def _decided_by_valid(predictions: Predictions, params: TtaEvaluateParams) -> Predictions:
    """The same predictions with temperatures and thresholds, found on the labelled valid pictures."""
    valid = predictions.labelled("valid")
    truth, task = valid.truth(), valid.task
    if params.calibration == "temperature" and len(valid.table):
        found = {kind: find_temperature(valid.uncalibrated(kind), truth, task) for kind in KINDS}
        predictions, valid = (replace(of, temperatures=found) for of in (predictions, valid))
    if task == "single_label":
        return predictions
    thresholds = {
        kind: find_thresholds(valid.probabilities(kind), valid.multi_hot(), params.thresholds)
        for kind in KINDS
    }
    return replace(predictions, thresholds=thresholds)


def _scores_by_split(
    predictions: Predictions,
    params: TtaEvaluateParams,
    costs: Floats | None,
    left_out: tuple[str, ...],
) -> dict[str, Any]:
    """<split>.plain and <split>.tta for each split with labelled pictures, without some scores."""
    scores: dict[str, Any] = {}
    for split in predictions.table["split"].unique():
        labelled = predictions.labelled(split)
        if len(labelled.table):
            scores[str(split)] = {
                kind: {
                    key: value
                    for key, value in _score(labelled, split, kind, params, costs).items()
                    if key.removesuffix("_ci_low").removesuffix("_ci_high") not in left_out
                }
                for kind in KINDS
            }
    return scores


def _scoring(params: TtaEvaluateParams) -> Scoring:
    return Scoring(params.confidence, params.n_bootstrap, params.seed)


def _score(
    labelled: Predictions,
    split: str,
    kind: Kind,
    params: TtaEvaluateParams,
    costs: Floats | None,
) -> dict[str, Any]:
    """Scores of the labelled pictures of one split, with the temperature and the thresholds used."""
    probabilities, classes = labelled.probabilities(kind), labelled.classes
    scoring = _scoring(params)
    unseen = unseen_probabilities(labelled, split, kind)
    known, said = (labelled.truth(), labelled.task, scoring), labelled.uncalibrated(kind)
    calibration = calibration_scores(unseen, *known)
    if kind in labelled.temperatures:
        calibration |= calibration_gains(said, unseen, *known)
        calibration["temperature"] = labelled.temperatures[kind]
    if labelled.task == "single_label":
        targets = labelled.class_numbers()
        scores = class_scores(probabilities, targets, classes, scoring, unseen)
        cost = {} if costs is None else cost_scores(unseen, targets, costs, scoring)
        return {**scores, **calibration, **cost}
    truth, search = labelled.multi_hot(), params.thresholds
    thresholds = labelled.thresholds[kind]
    decided = unseen_decisions(labelled, split, kind, search)
    claimed = decide(probabilities, find_thresholds(probabilities, truth, search))
    scores = label_scores(probabilities, truth, decided, claimed, classes, scoring, unseen)
    by_label = dict(zip(classes, thresholds, strict=True))
    return {
        **scores,
        **calibration,
        "threshold": by_label if search == "per_label" else thresholds[0],
    }
