"""All scores of one set of labelled pictures, each with its interval, under the keys of a report.

Axis letters: N images, K classes. The keys of a score's interval are `<score>_ci_low` and
`<score>_ci_high`. A score that is undefined has no key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.evaluation import intervals
from headstart.evaluation.costs import cheapest_classes
from headstart.evaluation.intervals import Interval
from headstart.evaluation.reliability import expected_calibration_error, judged, reliability_bins
from headstart.evaluation.roc_intervals import area_interval, mean_area_interval
from headstart.labels.task import Task
from headstart.scores import metrics, multi_label
from headstart.scores.calibration import Truth, brier_scores
from headstart.scores.metrics import Floats, Ints
from headstart.scores.multi_label import Bools
from headstart.scores.roc import roc_areas


@dataclass(frozen=True)
class Scoring:
    """How scores get their intervals.

    Attributes:
        confidence: level of the intervals, in (0, 1).
        n_bootstrap: resamples for each interval that has no formula.
        seed: of the resamples.
    """

    confidence: float
    n_bootstrap: int
    seed: int

    def generator(self, place: int) -> np.random.Generator:
        """The generator of score number `place`; no interval depends on the other scores."""
        return np.random.default_rng([self.seed, place])

    def of_mean(self, values: Floats, place: int) -> Interval:
        """Interval of the mean of `values` (N,), one per picture."""
        draws = self.generator(place)
        return intervals.bootstrap_mean(values, self.n_bootstrap, self.confidence, draws)

    def of_proportions(
        self, name: str, hits: Ints, totals: Ints, classes: Sequence[str]
    ) -> dict[str, dict[str, float]]:
        """Proportions hits / totals by class, and their intervals; a class with total 0 is left out.

        Args:
            name: of the proportion.
            hits: (K,)
            totals: (K,)
            classes: K names.

        Returns:
            `name`, `<name>_ci_low` and `<name>_ci_high`, each: class -> value.
        """
        values: dict[str, dict[str, float]] = {f"{name}{end}": {} for end in ENDS}
        for k in totals.nonzero()[0].tolist():
            low, high = intervals.wilson(int(hits[k]), int(totals[k]), self.confidence)
            for end, value in zip(ENDS, (float(hits[k] / totals[k]), low, high), strict=True):
                values[f"{name}{end}"][classes[k]] = value
        return values

    def of_f1(
        self, hits: Ints, others: Ints, classes: Sequence[str]
    ) -> dict[str, dict[str, float]]:
        """F1 by class and its intervals: `f1`, `f1_ci_low` and `f1_ci_high`, each: class -> value.

        Args:
            hits: (K,) pictures that have the class and were given it.
            others: (K,) pictures that have it or were given it, but not both.
            classes: K names; one without pictures of either kind is left out.
        """
        values: dict[str, dict[str, float]] = {f"f1{end}": {} for end in ENDS}
        for k in (hits + others).nonzero()[0].tolist():
            found, wrong = int(hits[k]), int(others[k])
            ends = intervals.f1_interval(found, wrong, self.confidence)
            for end, value in zip(ENDS, (2 * found / (2 * found + wrong), *ends), strict=True):
                values[f"f1{end}"][classes[k]] = value
        return values

    def of_roc(self, probabilities: Floats, truth: Bools) -> dict[str, float]:
        """`roc_auc` with its interval: the mean over the classes, each against all others.

        Args:
            probabilities: (N, K)
            truth: (N, K); without a class that some pictures have and some have not, the result is {}.
        """
        found = roc_areas(probabilities, truth)
        if not len(found.classes):
            return {}
        ends = mean_area_interval(found, self.confidence)
        return _scored("roc_auc", float(found.areas.mean()), ends)

    def of_each_roc(
        self, probabilities: Floats, truth: Bools, classes: Sequence[str]
    ) -> dict[str, dict[str, float]]:
        """`roc_auc_of`, `roc_auc_of_ci_low` and `roc_auc_of_ci_high`, each: class -> value."""
        found, n = roc_areas(probabilities, truth), len(truth)
        values: dict[str, dict[str, float]] = {f"roc_auc_of{end}": {} for end in ENDS}
        numbers = zip(
            found.classes.tolist(), found.areas.tolist(), found.n_with.tolist(), strict=True
        )
        for k, area, n_with in numbers:
            ends = area_interval(area, n_with, n - n_with, self.confidence)
            for end, value in zip(ENDS, (area, *ends), strict=True):
                values[f"roc_auc_of{end}"][classes[k]] = value
        return values


ENDS = ("", "_ci_low", "_ci_high")
N_TOP = 5
"""Classes of top5_accuracy."""


def calibration_scores(
    probabilities: Floats, truth: Truth, task: Task, scoring: Scoring
) -> dict[str, float]:
    """How well the probabilities (N, K) of N ≥ 1 pictures are calibrated.

    Args:
        probabilities: calibrated by what was found without these pictures, or not at all.
        truth: of the pictures.
        task: what the labels are.
        scoring: of the intervals.

    Returns:
        brier; and ece, without an interval, because the ECE of a resample is larger on average than
        that of the pictures it is drawn from.
    """
    brier = brier_scores(probabilities, truth, task)
    bins = reliability_bins(*judged(probabilities, truth, task))
    return {
        **_scored("brier", float(brier.mean()), scoring.of_mean(brier, 3)),
        "ece": expected_calibration_error(bins),
    }


def calibration_gains(
    before: Floats, after: Floats, truth: Truth, task: Task, scoring: Scoring
) -> dict[str, float]:
    """What calibration changes on N ≥ 1 pictures, whose labels it did not know.

    Args:
        before: probabilities (N, K) as the network says them.
        after: the same, calibrated.
        truth: of the pictures.
        task: what the labels are.
        scoring: of the interval.

    Returns:
        log_loss_uncalibrated, brier_uncalibrated and ece_uncalibrated, without intervals; and
        log_loss_gained, the mean over pictures of the log loss before less that after.
    """
    losses = [_losses(of, truth, task) for of in (before, after)]
    gained = losses[0] - losses[1]
    return {
        "log_loss_uncalibrated": float(losses[0].mean()),
        "brier_uncalibrated": float(brier_scores(before, truth, task).mean()),
        "ece_uncalibrated": expected_calibration_error(
            reliability_bins(*judged(before, truth, task))
        ),
        **_scored("log_loss_gained", float(gained.mean()), scoring.of_mean(gained, 4)),
    }


def cost_scores(
    probabilities: Floats, targets: Ints, costs: Floats, scoring: Scoring
) -> dict[str, float]:
    """What decisions about N ≥ 1 pictures of one class each cost.

    Args:
        probabilities: (N, K), calibrated without these pictures
        targets: class numbers (N,)
        costs: (K, K), as evaluation.costs
        scoring: of the intervals

    Returns:
        cost, the mean if each picture gets its likeliest class; cost_decided, if it gets the class of
        lowest expected cost; and cost_saved, the former less the latter on the same pictures.
    """
    likeliest = costs[targets, metrics.predicted_classes(probabilities)]
    decided = costs[targets, cheapest_classes(probabilities, costs)]
    values = {"cost": likeliest, "cost_decided": decided, "cost_saved": likeliest - decided}
    return {
        key: number
        for place, (name, of_pictures) in enumerate(values.items(), start=6)
        for key, number in _scored(
            name, float(of_pictures.mean()), scoring.of_mean(of_pictures, place)
        ).items()
    }


def class_scores(
    probabilities: Floats,
    targets: Ints,
    classes: Sequence[str],
    scoring: Scoring,
    unseen: Floats | None = None,
) -> dict[str, Any]:
    """Scores of N ≥ 1 pictures of one class each.

    Args:
        probabilities: (N, K)
        targets: class numbers (N,)
        classes: K names
        scoring: of the intervals
        unseen: (N, K) the probabilities of the log loss, where they are others

    Returns:
        n_pictures; accuracy, log_loss, macro_f1 and balanced_accuracy; top5_accuracy, of more than 5
        classes; roc_auc; by the names of the classes that occur: recall, precision and f1.
        Proportions and f1 have Wilson's interval, roc_auc that of mean_area_interval, the others a
        bootstrap over pictures.
    """
    predicted = metrics.predicted_classes(probabilities)
    counts = metrics.confusion_matrix(predicted, targets, len(classes))
    losses = metrics.log_losses(probabilities if unseen is None else unseen, targets)
    level, n, n_hits = scoring.confidence, len(targets), int(counts.trace())
    of_f1 = intervals.bootstrap_macro_f1(counts, scoring.n_bootstrap, level, scoring.generator(1))
    of_recalls = intervals.bootstrap_balanced_accuracy(
        counts, scoring.n_bootstrap, level, scoring.generator(5)
    )
    hits, actual, given = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    top = {}
    if len(classes) > N_TOP:
        n_top = int(metrics.top_hits(probabilities, targets, N_TOP).sum())
        top = _scored("top5_accuracy", n_top / n, intervals.wilson(n_top, n, level))
    return {
        "n_pictures": n,
        **_scored("accuracy", metrics.accuracy(counts), intervals.wilson(n_hits, n, level)),
        **_scored("log_loss", float(losses.mean()), scoring.of_mean(losses, 0)),
        **_scored("macro_f1", metrics.macro_f1(counts), of_f1),
        **_scored("balanced_accuracy", metrics.balanced_accuracy(counts), of_recalls),
        **top,
        **scoring.of_roc(probabilities, targets[:, None] == np.arange(len(classes))),
        **scoring.of_proportions("recall", hits, actual, classes),
        **scoring.of_proportions("precision", hits, given, classes),
        **scoring.of_f1(hits, actual + given - 2 * hits, classes),
    }


def label_scores(
    probabilities: Floats,
    truth: Bools,
    decided: Bools,
    claimed: Bools,
    classes: Sequence[str],
    scoring: Scoring,
    unseen: Floats | None = None,
) -> dict[str, Any]:
    """Scores of N ≥ 1 pictures of any number of labels each.

    Args:
        probabilities: (N, K)
        truth: (N, K)
        decided: (N, K) labels given, each at thresholds that were found without its picture
        claimed: (N, K) labels given, at thresholds that were found on these same pictures
        classes: K names
        scoring: of the intervals
        unseen: (N, K) the probabilities of the log loss, where they are others

    Returns:
        n_pictures; f2 (mean over pictures), f2_claimed and f2_optimism (f2_claimed − f2: how much
        the search overestimates); map, if a label occurs; log_loss (binary, mean over labels and
        pictures); roc_auc, the mean of roc_auc_of by label, for labels that some pictures have and
        some have not; precision by label, for labels that were given; recall by label, for labels
        that occur; f1 by label, for labels of which either holds; all three from `decided`;
        n_labels_absent; labels_absent (names, joined by ", "), if there
        are any.
    """
    f2, losses = (
        multi_label.f_beta(decided, truth),
        multi_label.binary_cross_entropies(probabilities if unseen is None else unseen, truth),
    )
    f2_claimed = float(multi_label.f_beta(claimed, truth).mean())
    counts = multi_label.label_counts(decided, truth)
    scores = {
        "n_pictures": len(truth),
        **_scored("f2", float(f2.mean()), scoring.of_mean(f2, 1)),
        "f2_claimed": f2_claimed,
        "f2_optimism": f2_claimed - float(f2.mean()),
    }
    if truth.any():
        of_map = intervals.bootstrap_map(
            probabilities, truth, scoring.n_bootstrap, scoring.confidence, scoring.generator(2)
        )
        scores |= _scored("map", multi_label.mean_average_precision(probabilities, truth), of_map)
    absent = [name for name, n in zip(classes, counts.actual, strict=True) if not n]
    return {
        **scores,
        **_scored("log_loss", float(losses.mean()), scoring.of_mean(losses, 0)),
        **scoring.of_roc(probabilities, truth),
        **scoring.of_each_roc(probabilities, truth, classes),
        **scoring.of_proportions("precision", counts.hits, counts.decided, classes),
        **scoring.of_proportions("recall", counts.hits, counts.actual, classes),
        **scoring.of_f1(counts.hits, counts.decided + counts.actual - 2 * counts.hits, classes),
        "n_labels_absent": len(absent),
        **({"labels_absent": ", ".join(absent)} if absent else {}),
    }


def _losses(probabilities: Floats, truth: Truth, task: Task) -> Floats:
    if task == "single_label":
        return metrics.log_losses(probabilities, np.asarray(truth, np.int64))
    return multi_label.binary_cross_entropies(probabilities, np.asarray(truth, bool))


def _scored(name: str, value: float, interval: Interval) -> dict[str, float]:
    return {f"{name}{end}": v for end, v in zip(ENDS, (value, *interval), strict=True)}
