"""Which predictions and scores come out, and under which keys."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    fbeta_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from headstart.evaluation.decisions import unseen_probabilities
from headstart.evaluation.predictions import Kind, read_predictions, write_predictions
from headstart.labels.labels import Labels
from headstart.labels.task import Task
from headstart.prediction.stored_views import StoredViews, read_views, write_views
from headstart.project.errors import HeadstartError
from headstart.project.files import flatten
from headstart.scores.calibration import find_temperature
from headstart.scores.metrics import Floats
from headstart.scores.thresholds import DEFAULT_THRESHOLD, cross_fitted, decide, find_thresholds
from headstart.steps.predict_views import PredictViewsParams, predict_views
from headstart.steps.tta_evaluate import KINDS, Evaluation, TtaEvaluateParams, tta_evaluate
from tests.contract import closure

CLASSES = ("cat", "dog", "owl")
PARAMS = TtaEvaluateParams(
    mean="arithmetic",
    plain_weight=0.4,
    calibration="temperature",
    thresholds="global",
    costs=None,
    confidence=0.95,
    n_bootstrap=200,
    seed=3,
)
UNCALIBRATED = PARAMS.model_copy(update={"calibration": "none"})
ENDS = ("", "_ci_low", "_ci_high")
CALIBRATION = {f"{name}{end}" for name in ("brier", "log_loss_gained") for end in ENDS}
CALIBRATION |= {"ece", "temperature"}
CALIBRATION |= {f"{name}_uncalibrated" for name in ("log_loss", "brier", "ece")}
SCORES = [f"{name}{end}" for end in ENDS
          for name in ("accuracy", "log_loss", "macro_f1", "balanced_accuracy", "roc_auc")]  # fmt: skip


def make_labels(*rows: tuple[str, str | None, str]) -> Labels:
    """(id, label or None, split) a picture."""
    table = pd.DataFrame(
        [(i, None if label is None else [label], split, i) for i, label, split in sorted(rows)],
        columns=["id", "labels", "split", "group"],
    )
    return Labels(table, CLASSES, "single_label")


LABELS = make_labels(
    ("a", "cat", "train"),
    *((f"v{i}", CLASSES[i % 2], "valid") for i in range(12)),  # no owl in valid
    ("v99", None, "valid"),
    *((f"t{i}", CLASSES[i % 3], "test") for i in range(9)),
)


class Predictor:
    """Random probabilities, a function of checkpoint and id."""

    def __init__(self, *checkpoints: str, n_views: int = 2) -> None:
        self.checkpoints, self.n_views = checkpoints, n_views

    def of(self, checkpoint: str, picture: str) -> Floats:
        rng = np.random.default_rng(list(f"{checkpoint} {picture}".encode()))
        return rng.dirichlet(np.ones(3), 1 + self.n_views)  # (1 + V, K)

    def __call__(self, ids: Sequence[str]) -> Mapping[str, Floats]:
        none = np.empty((1 + self.n_views, 0, len(CLASSES)))
        return {
            name: np.stack([self.of(name, i) for i in ids], 1) if ids else none
            for name in self.checkpoints
        }


def said(labels: Labels, predict: "Predictor | TagPredictor") -> StoredViews:
    params = PredictViewsParams(n_views=predict.n_views, snapshots=False, seed=0)
    return predict_views(labels, predict, params)


def evaluated(
    labels: Labels, predict: "Predictor | TagPredictor", params: TtaEvaluateParams
) -> Evaluation:
    return tta_evaluate(labels, said(labels, predict), params)


RECIPE = ("head", "augmented", "finetuned")


def evaluated_classes(split: str, kind: Kind) -> set[str]:
    """The classes that the final checkpoint predicts of labelled pictures."""
    found = evaluated(LABELS, Predictor(*RECIPE), PARAMS).predictions["predictions"].labelled(split)
    return {CLASSES[k] for k in found.uncalibrated(kind).argmax(axis=1)}


def test_every_promised_key_is_there_and_no_other() -> None:
    metrics = evaluated(LABELS, Predictor(*RECIPE), PARAMS).metrics
    assert list(metrics) == ["valid", "test", "choice", "checkpoints"]
    assert list(metrics["checkpoints"]) == list(RECIPE)
    assert metrics["checkpoints"]["finetuned"] == {k: metrics[k] for k in ("valid", "test")}
    of_head = metrics["checkpoints"]["head"]["test"]["tta"]
    assert not {"precision", "f1", "roc_auc_of"} & set(of_head) and "recall" in of_head
    ends = ("recall", "recall_ci_low", "recall_ci_high")
    for split, names in (("valid", CLASSES[:2]), ("test", CLASSES)):
        for kind in ("plain", "tta"):
            recalls = {f"{end}.{name}" for end in ends for name in names}
            values = flatten(metrics[split][kind])
            by_class = {
                key for key in values if key.split("_ci_")[0].split(".")[0] in ("precision", "f1")
            }
            assert set(values) - by_class == {"n_pictures", *SCORES, *CALIBRATION, *recalls}
            given = evaluated_classes(split, kind)
            for name in CLASSES:
                assert (f"precision.{name}" in values) == (name in given)
                assert (f"f1.{name}" in values) == (name in given or name in names)
    for key, value in flatten(metrics).items():
        assert isinstance(value, (int, float)), key


def test_scores_are_those_of_scikit_learn_over_the_whole_split() -> None:
    predictor = Predictor(*RECIPE)
    metrics = evaluated(LABELS, predictor, UNCALIBRATED).metrics
    ids = [f"t{i}" for i in range(9)]
    targets = np.arange(9) % 3
    for name in RECIPE:
        views = np.stack([predictor.of(name, i) for i in ids], 1)
        for kind, probabilities in (("plain", views[0]), ("tta", views.mean(axis=0))):
            scores = metrics["checkpoints"][name]["test"][kind]
            predicted = probabilities.argmax(1)
            assert scores["accuracy"] == pytest.approx(accuracy_score(targets, predicted))
            assert scores["log_loss"] == pytest.approx(log_loss(targets, probabilities))
            f1 = f1_score(targets, predicted, average="macro")
            assert scores["macro_f1"] == pytest.approx(f1)
            recalls = recall_score(targets, predicted, average=None)
            assert list(scores["recall"].values()) == pytest.approx(list(recalls))
            assert scores["balanced_accuracy"] == pytest.approx(recalls.mean())
            auc = roc_auc_score(targets, probabilities, multi_class="ovr", average="macro")
            assert scores["roc_auc"] == pytest.approx(auc)
            if name == RECIPE[-1]:
                f1 = f1_score(targets, predicted, average=None)
                assert list(scores["f1"].values()) == pytest.approx(list(f1))
                precisions = precision_score(targets, predicted, average=None, zero_division=0)
                said = {CLASSES[k]: precisions[k] for k in set(predicted.tolist())}
                assert scores["precision"] == pytest.approx(said)
            for score in ("accuracy", "log_loss", "macro_f1"):
                assert scores[f"{score}_ci_low"] <= scores[score] <= scores[f"{score}_ci_high"]


def test_predictions_are_joined_by_id_and_the_last_checkpoint_is_final() -> None:
    predictor = Predictor(*RECIPE)
    predictions = evaluated(LABELS, predictor, UNCALIBRATED).predictions
    assert list(predictions) == ["head", "augmented", "predictions"]
    for checkpoint, name in zip(RECIPE, predictions, strict=True):
        table = predictions[name].table
        assert table["split"].tolist() == ["valid"] * 13 + ["test"] * 9
        for row, picture in enumerate(table["id"]):
            expected = predictor.of(checkpoint, picture)
            assert (predictions[name].views[:, row] == expected).all()
            assert predictions[name].tta[row] == pytest.approx(expected.mean(axis=0))
        assert predictions[name].task == "single_label" and predictions[name].thresholds == {}
    targets = dict(zip(table["id"], table["targets"], strict=True))
    assert targets["v99"] is None
    assert (targets["v0"], targets["v1"], targets["t2"]) == ([0], [1], [2])


def test_a_picture_without_label_counts_in_no_score() -> None:
    without = Labels(LABELS.table[LABELS.table["id"] != "v99"], CLASSES, "single_label")
    kept = evaluated(LABELS, Predictor(*RECIPE), PARAMS).metrics
    assert kept == evaluated(without, Predictor(*RECIPE), PARAMS).metrics
    assert kept["valid"]["plain"]["n_pictures"] == 12


def test_what_does_not_exist_has_no_key() -> None:
    labels = make_labels(("a", "cat", "train"), ("v", "dog", "valid"), ("t", None, "test"))
    result = evaluated(labels, Predictor("head"), PARAMS)
    assert list(result.metrics) == ["valid", "checkpoints"]
    assert list(result.metrics["checkpoints"]) == ["head"]
    assert result.predictions["predictions"].table["id"].tolist() == ["v", "t"]


@pytest.mark.parametrize("mean", ["arithmetic", "geometric", "weighted"])
@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_only_train_gives_predictions_without_rows_and_metrics_without_scores(
    task: Task, mean: str, tmp_path: Path
) -> None:
    table = make_labels(("a", "cat", "train"), ("b", "dog", "train")).table
    result = evaluated(
        Labels(table, CLASSES, task), Predictor(*RECIPE), PARAMS.model_copy(update={"mean": mean})
    )
    assert result.metrics == {"checkpoints": {name: {} for name in RECIPE}}
    assert list(result.predictions) == ["head", "augmented", "predictions"]
    for name, found in result.predictions.items():
        write_predictions(tmp_path / name, found)
        back = read_predictions(tmp_path / name)
        assert (back.classes, back.task, len(back.table)) == (CLASSES, task, 0)
        assert (back.views.shape, back.tta.shape) == ((3, 0, 3), (0, 3))
        assert back.table.dtypes.equals(found.table.dtypes)
    default = (DEFAULT_THRESHOLD,) * 3
    assert result.thresholds == ({} if task == "single_label" else dict.fromkeys(KINDS, default))


def test_without_augmented_views_tta_is_plain() -> None:
    metrics = evaluated(LABELS, Predictor("head", n_views=0), PARAMS).metrics
    assert metrics["valid"]["plain"] == metrics["valid"]["tta"]


def test_a_score_is_a_function_of_its_pictures_and_the_seed_alone() -> None:
    first = evaluated(LABELS, Predictor(*RECIPE), PARAMS).metrics
    assert first == evaluated(LABELS, Predictor(*RECIPE), PARAMS).metrics
    alone = evaluated(LABELS, Predictor("finetuned"), PARAMS).metrics
    assert alone["test"] == first["test"]
    other = evaluated(LABELS, Predictor(*RECIPE), PARAMS.model_copy(update={"seed": 4})).metrics
    assert other["test"]["tta"]["log_loss_ci_low"] != first["test"]["tta"]["log_loss_ci_low"]


def test_what_does_not_go_together_is_refused() -> None:
    views = said(LABELS, Predictor("head"))
    for wrong in (
        Labels(LABELS.table, (*CLASSES, "rat"), "single_label"),
        Labels(LABELS.table, CLASSES, "multi_label"),
    ):
        with pytest.raises(ValueError, match="predicted for another task or other classes"):
            tta_evaluate(wrong, views, PARAMS)
    fewer = Labels(LABELS.table[LABELS.table["id"] != "t1"], CLASSES, "single_label")
    with pytest.raises(ValueError, match="no row for picture 't1'"):
        tta_evaluate(fewer, views, PARAMS)


@pytest.mark.parametrize("mean", ["arithmetic", "geometric", "weighted"])
def test_views_that_were_stored_give_the_same_bits(mean: str, tmp_path: Path) -> None:
    views = said(
        LABELS, Predictor(*RECIPE, n_views=11)
    )  # a sum of 8 or more may go in another order
    write_views(tmp_path / "views", views)
    params = PARAMS.model_copy(update={"mean": mean})
    before, after = (
        tta_evaluate(LABELS, given, params) for given in (views, read_views(tmp_path / "views"))
    )
    assert before.metrics == after.metrics
    for name, predictions in before.predictions.items():
        assert (predictions.tta == after.predictions[name].tta).all()
        write_predictions(tmp_path / "before", predictions)
        write_predictions(tmp_path / "after", after.predictions[name])
        assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


STAGE, TORCH = "stages/tta_evaluate.py", re.compile(r"^\s*(import|from) torch", re.M)
IMPORT = """
import runpy, sys
runpy.run_path(sys.argv[1], run_name="imported")
print(*sorted({"torch", "timm", "torchvision", "pandas"} & sys.modules.keys()))
"""


def test_the_stage_imports_no_torch(repo_root: Path) -> None:
    environment = {name: v for name, v in os.environ.items() if name != "DVC_STAGE"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, STAGE], cwd=repo_root, env=environment | {"PYTHONPATH": "src"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["pandas"]
    late = [m for m in closure(repo_root, STAGE) if TORCH.search((repo_root / m).read_text())]
    assert late == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": "median"},
        {"thresholds": "per_class"},
        {"plain_weight": 1.1},
        {"confidence": 1.0},
        {"n_bootstrap": 10},
        {"seed": -1},
        {"n_views": 4},
        {"calibration": "platt"},
        {"costs": {"cat": {"dog": -1.0}}},
        {"costs": {"cat": {"cat": 1.0}}},
    ],
)
def test_params_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TtaEvaluateParams.model_validate({**PARAMS.model_dump(), **wrong})


COSTS: dict[str, dict[str, float]] = {"owl": {"cat": 20, "dog": 20}, "cat": {"dog": 0.5}}
COSTED = PARAMS.model_copy(update={"costs": COSTS})


def test_costs_are_scored_beside_all_else_which_stays() -> None:
    without, found = (evaluated(LABELS, Predictor(*RECIPE), of) for of in (PARAMS, COSTED))
    assert without.costs is None and found.costs is not None
    scores = flatten(found.metrics)
    costs = {key for key in scores if key.rpartition(".")[2].startswith("cost")}
    assert {key: value for key, value in scores.items() if key not in costs} == flatten(
        without.metrics
    )
    for split in ("valid", "test"):
        said = found.predictions["predictions"].labelled(split)
        for kind in KINDS:
            probabilities = unseen_probabilities(said, split, kind)
            of = found.metrics[split][kind]
            for name, decided in (
                ("cost", probabilities.argmax(axis=1)),
                ("cost_decided", (probabilities @ found.costs).argmin(axis=1)),
            ):
                expected = np.mean(
                    [
                        0 if true == k else COSTS.get(CLASSES[true], {}).get(CLASSES[k], 1)
                        for true, k in zip(said.class_numbers(), decided, strict=True)
                    ]
                )
                assert of[name] == pytest.approx(expected)
            assert of["cost_saved"] == pytest.approx(of["cost"] - of["cost_decided"])
            assert {f"cost{end}" for end in ENDS} <= set(of)
    assert "cost_decided" in found.metrics["checkpoints"]["head"]["test"]["tta"]


def test_costs_of_a_class_that_there_is_not_are_refused() -> None:
    wrong = PARAMS.model_copy(update={"costs": {"cow": {"cat": 2.0}}})
    with pytest.raises(HeadstartError, match=r"costs\.cow\.cat: 'cow' is no class of the pictures"):
        evaluated(LABELS, Predictor(*RECIPE), wrong)


TAGS = ("clear", "river", "road", "rare", "absent, really")
PER_LABEL = PARAMS.model_copy(update={"thresholds": "per_label"})


def many_labels(n_valid: int = 60, n_test: int = 40, seed: int = 0) -> Labels:
    """`rare` is on one picture of each split, the last tag on none; one valid has no labels."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, list[str] | None, str, str]] = []
    for split, n in (("valid", n_valid), ("test", n_test)):
        for i in range(n):
            tags = [tag for tag, p in zip(TAGS, (0.7, 0.4, 0.3), strict=False) if rng.random() < p]
            rows.append((f"{split[0]}{i:03}", tags + ["rare"] * (i == 5), split, f"{split}{i}"))
    rows.append(("v999", None, "valid", "v999"))
    table = pd.DataFrame(sorted(rows), columns=["id", "labels", "split", "group"])
    return Labels(table, TAGS, "multi_label")


def without(labels: Labels, keep: Any) -> Labels:
    return Labels(labels.table[keep].reset_index(drop=True), labels.classes, labels.task)


class TagPredictor:
    """Probabilities that know a little of the labels it was made with, whatever it is asked of."""

    def __init__(self, labels: Labels, n_views: int = 2, signal: float = 0.35) -> None:
        self.n_views, self.signal = n_views, signal
        ids = labels.table["id"].tolist()
        known = labels.class_numbers(ids)
        self.tags = {i: numbers or [] for i, numbers in zip(ids, known, strict=True)}

    def of(self, picture: str) -> Floats:
        rng = np.random.default_rng(list(picture.encode()))
        has = np.isin(np.arange(len(TAGS)), self.tags[picture])
        noise = rng.random((1 + self.n_views, len(TAGS)))  # (1 + V, K)
        return (1 - self.signal) * noise + self.signal * has

    def __call__(self, ids: Sequence[str]) -> Mapping[str, Floats]:
        return {"head": np.stack([self.of(i) for i in ids], 1)}


def evaluate(labels: Labels, params: TtaEvaluateParams = PARAMS) -> Evaluation:
    return evaluated(labels, TagPredictor(many_labels()), params)


def test_many_labels_are_scored_as_scikit_learn_does_at_the_thresholds_of_valid() -> None:
    result = evaluate(many_labels(), UNCALIBRATED)
    predictions = result.predictions["predictions"]
    valid, test = predictions.labelled("valid"), predictions.labelled("test")
    truth = test.multi_hot()
    cases: tuple[tuple[Kind, Floats, Floats], ...] = (
        ("plain", valid.views[0], test.views[0]),
        ("tta", valid.views.mean(axis=0), test.views.mean(axis=0)),
    )
    for kind, searched, probabilities in cases:
        scores = result.metrics["test"][kind]
        found = find_thresholds(searched, valid.multi_hot(), "global")
        assert result.thresholds[kind] == predictions.thresholds[kind] == found
        assert scores["threshold"] == found[0]
        decided = probabilities >= found[0]
        occurring = truth.any(axis=0)
        f2 = fbeta_score(truth, decided, beta=2, average="samples", zero_division=1)
        assert scores["f2"] == pytest.approx(f2)
        ap = average_precision_score(truth[:, occurring], probabilities[:, occurring])
        assert scores["map"] == pytest.approx(ap)
        columns = zip(truth.T, probabilities.T, strict=True)
        losses = [log_loss(t, p, labels=[False, True]) for t, p in columns]
        assert scores["log_loss"] == pytest.approx(np.mean(losses))
        recalls = recall_score(truth, decided, average=None, zero_division=0)
        assert list(scores["recall"].values()) == pytest.approx(list(recalls[occurring]))
        precisions = precision_score(truth, decided, average=None, zero_division=0)
        areas = roc_auc_score(truth[:, occurring], probabilities[:, occurring], average=None)
        assert list(scores["roc_auc_of"].values()) == pytest.approx(list(areas))
        assert scores["roc_auc"] == pytest.approx(areas.mean())
        f1 = f1_score(truth, decided, average=None, zero_division=0)
        assert list(scores["f1"].values()) == pytest.approx(
            list(f1[occurring | decided.any(axis=0)])
        )
        said = decided.any(axis=0)
        assert list(scores["precision"].values()) == pytest.approx(list(precisions[said]))
        for score in ("f2", "map", "log_loss"):
            assert scores[f"{score}_ci_low"] < scores[score] < scores[f"{score}_ci_high"]
        for score in ("precision", "recall"):
            for tag, value in scores[score].items():
                low, high = scores[f"{score}_ci_low"][tag], scores[f"{score}_ci_high"][tag]
                assert low <= value <= high and low < high


@pytest.mark.parametrize("params", [PARAMS, PER_LABEL])
def test_every_promised_key_of_many_labels_is_there_and_no_other(params: TtaEvaluateParams) -> None:
    metrics = evaluate(many_labels(), params).metrics
    assert metrics["checkpoints"] == {"head": {k: metrics[k] for k in ("valid", "test")}}
    ends = ("", "_ci_low", "_ci_high")
    scores = {f"{name}{end}" for name in ("f2", "map", "log_loss", "roc_auc") for end in ends}
    by_tag = ("precision", "recall", "f1", "roc_auc_of")
    per_tag = {f"{name}{end}" for name in by_tag for end in ends}
    others = {"n_pictures", "f2_claimed", "f2_optimism", "threshold"}
    others |= {"n_labels_absent", "labels_absent"}
    for split, n in (("valid", 60), ("test", 40)):
        for kind in ("plain", "tta"):
            values = metrics[split][kind]
            assert set(values) == scores | per_tag | others | CALIBRATION
            assert values["n_pictures"] == n
            assert (values["n_labels_absent"], values["labels_absent"]) == (1, TAGS[4])
            assert set(values["recall"]) == set(TAGS[:4])  # `rare` occurs once, the last tag never
            if params is PARAMS:
                assert isinstance(values["threshold"], float)
            else:
                assert list(values["threshold"]) == list(TAGS)


def test_the_optimism_of_the_search_is_seen_and_f2_on_valid_is_free_of_it() -> None:
    labels = many_labels(n_valid=30)
    # Noise alone: whatever a search finds here is luck.
    predict = TagPredictor(labels, signal=0.0)
    result = evaluated(labels, predict, PER_LABEL.model_copy(update={"calibration": "none"}))
    predictions = result.predictions["predictions"].labelled("valid")
    truth, p = predictions.multi_hot(), predictions.tta
    for split in ("valid", "test"):
        for kind in ("plain", "tta"):
            values = result.metrics[split][kind]
            assert values["f2_optimism"] == pytest.approx(values["f2_claimed"] - values["f2"])
            assert values["f2_optimism"] > 0.02
    fitted, claimed = (
        fbeta_score(truth, decided, beta=2, average="samples", zero_division=1)
        for decided in (
            cross_fitted(p, truth, "per_label", predictions.folds()),
            decide(p, find_thresholds(p, truth, "per_label")),
        )
    )
    values = result.metrics["valid"]["tta"]
    assert (values["f2"], values["f2_claimed"]) == pytest.approx((fitted, claimed))


@pytest.mark.parametrize("params", [PARAMS, PER_LABEL])
def test_the_labels_of_test_change_no_threshold_and_no_decision(params: TtaEvaluateParams) -> None:
    labels = many_labels()
    test = labels.table["split"] == "test"
    table = labels.table.copy()
    table.loc[test, "labels"] = pd.Series([[TAGS[4]]] * int(test.sum()), index=table.index[test])
    before, after = evaluate(labels, params), evaluate(Labels(table, TAGS, "multi_label"), params)
    assert before.metrics["test"] != after.metrics["test"]
    assert before.thresholds == after.thresholds
    assert before.metrics["valid"] == after.metrics["valid"]
    for kind in ("plain", "tta"):
        values = [result.metrics["test"][kind] for result in (before, after)]
        assert values[0]["threshold"] == values[1]["threshold"]
        assert set(values[0]["precision"]) == set(values[1]["precision"])  # what was decided at all
    # and those of valid do change them
    moved = labels.table.copy()
    valid = (moved["split"] == "valid") & moved["labels"].notna()
    moved.loc[valid, "labels"] = pd.Series(
        [list(TAGS)] * int(valid.sum()), index=moved[valid].index
    )
    assert evaluate(Labels(moved, TAGS, "multi_label"), params).thresholds != before.thresholds


@pytest.mark.parametrize("params", [PARAMS, PER_LABEL])
def test_without_labelled_valid_pictures_the_default_decides(params: TtaEvaluateParams) -> None:
    labels = many_labels()
    no_valid = without(labels, labels.table["split"] == "test")
    unlabelled = without(labels, (labels.table["split"] == "test") | labels.table["labels"].isna())
    for chosen in (no_valid, unlabelled):
        result = evaluate(chosen, params)
        assert list(result.metrics) == ["test", "checkpoints"]
        expected = (DEFAULT_THRESHOLD,) * len(TAGS)
        assert result.thresholds == {"plain": expected, "tta": expected}
        test = result.predictions["predictions"].labelled("test")
        decided = test.views[0] >= 0.2
        f2 = fbeta_score(test.multi_hot(), decided, beta=2, average="samples", zero_division=1)
        assert result.metrics["test"]["plain"]["f2"] == pytest.approx(f2)
        assert result.metrics["test"]["plain"]["f2_optimism"] > 0


def test_where_no_picture_has_a_label_there_is_no_map_and_no_recall() -> None:
    labels = many_labels()
    table = labels.table.assign(labels=pd.Series([[]] * len(labels.table), dtype=object))
    values = evaluate(Labels(table, TAGS, "multi_label")).metrics["valid"]["plain"]
    assert not {"map", "map_ci_low"} & set(values)
    assert (values["recall"], values["n_labels_absent"]) == ({}, 5)
    assert values["labels_absent"] == ", ".join(TAGS)


def test_all_labels_of_a_split_present_is_told_by_a_zero() -> None:
    labels = many_labels()
    tags = [None if given is None else [*given, TAGS[4]] for given in labels.table["labels"]]
    table = labels.table.assign(labels=pd.Series(tags, dtype=object))
    values = evaluate(Labels(table, TAGS, "multi_label")).metrics["test"]["tta"]
    assert values["n_labels_absent"] == 0 and "labels_absent" not in values


def test_the_geometric_mean_takes_each_label_as_a_question_of_its_own() -> None:
    labels = many_labels()
    result = evaluate(labels, PARAMS.model_copy(update={"mean": "geometric"}))
    predictions = result.predictions["predictions"]
    odds = (predictions.views / (1 - predictions.views)).prod(axis=0) ** (1 / 3)
    assert predictions.tta == pytest.approx(odds / (1 + odds))
    arithmetic = evaluate(labels).predictions["predictions"]
    assert arithmetic.tta == pytest.approx(arithmetic.views.mean(axis=0))


def test_many_labels_are_in_the_predictions_as_they_were_given() -> None:
    table = evaluate(many_labels()).predictions["predictions"].table
    given = dict(zip(many_labels().table["id"], many_labels().table["labels"], strict=True))
    for picture, targets in zip(table["id"], table["targets"], strict=True):
        names = None if targets is None else [TAGS[k] for k in targets]
        assert names == given[picture]


def test_scores_of_many_labels_are_a_function_of_pictures_and_seed_alone() -> None:
    assert evaluate(many_labels()).metrics == evaluate(many_labels()).metrics
    other = evaluate(many_labels(), PARAMS.model_copy(update={"seed": 4})).metrics["test"]["tta"]
    first = evaluate(many_labels()).metrics["test"]["tta"]
    assert other["f2"] == first["f2"] and other["map_ci_low"] != first["map_ci_low"]


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_calibration_changes_no_class_and_no_rank(task: Task) -> None:
    labels = many_labels() if task == "multi_label" else LABELS
    predict = TagPredictor(labels) if task == "multi_label" else Predictor(*RECIPE)
    before, after = (evaluated(labels, predict, params) for params in (UNCALIBRATED, PARAMS))
    assert set(after.temperatures) == {"plain", "tta"} and before.temperatures == {}
    for name, plain in before.predictions.items():
        found = after.predictions[name]
        assert (found.views == plain.views).all() and (found.tta == plain.tta).all()
        for kind in KINDS:
            said, calibrated = plain.probabilities(kind), found.probabilities(kind)
            assert said == pytest.approx(found.uncalibrated(kind)) != pytest.approx(calibrated)
            assert (said.argsort(axis=1) == calibrated.argsort(axis=1)).all()
            if task == "multi_label":  # and among pictures
                assert (said.argsort(axis=None) == calibrated.argsort(axis=None)).all()
    for split in ("valid", "test"):
        for kind in KINDS:
            values, others = before.metrics[split][kind], after.metrics[split][kind]
            for score in ["accuracy", "macro_f1"] if task == "single_label" else ["map"]:
                assert values[score] == pytest.approx(others[score], abs=1e-12)
            assert set(others) - set(values) == CALIBRATION - {
                *(f"brier{end}" for end in ENDS), "ece"
            }  # fmt: skip
            for score in ("log_loss", "brier", "ece"):
                assert others[f"{score}_uncalibrated"] == values[score]
            gained = others["log_loss_uncalibrated"] - others["log_loss"]
            assert others["log_loss_gained"] == pytest.approx(gained)


def test_valid_is_scored_at_temperatures_found_without_the_picture() -> None:
    table = LABELS.table.copy()
    table["group"] = [f"g{int(i[1:] or 0) // 2}" if i[0] == "v" else i for i in table["id"]]
    labels = Labels(table, CLASSES, "single_label")
    result = evaluated(labels, Predictor("head"), PARAMS)
    valid = result.predictions["predictions"].labelled("valid")
    truth = valid.class_numbers()
    for kind in KINDS:
        said, losses = valid.uncalibrated(kind), np.empty(len(truth))
        for place, group in enumerate(valid.table["group"]):
            fold = sorted(set(valid.table["group"])).index(group) % 5
            others = [sorted(set(valid.table["group"])).index(g) % 5 != fold
                      for g in valid.table["group"]]  # fmt: skip
            t = find_temperature(said[others], truth[others], "single_label")
            p = said[place] ** (1 / t)
            losses[place] = -np.log(p[truth[place]] / p.sum())
        assert result.metrics["valid"][kind]["log_loss"] == pytest.approx(losses.mean())
        everywhere = find_temperature(said, truth, "single_label")
        assert (
            result.temperatures[kind] == result.metrics["test"][kind]["temperature"] == everywhere
        )


def test_a_choice_among_the_checkpoints_is_scored_on_pictures_that_did_not_choose() -> None:
    result = evaluated(LABELS, Predictor(*RECIPE), PARAMS)
    hits = {}
    for name, found in zip(RECIPE, result.predictions.values(), strict=True):
        valid = found.labelled("valid")
        hits[name] = valid.uncalibrated("tta").argmax(axis=1) == valid.class_numbers()
    place = np.arange(12) % 5
    unseen = []
    for i in range(12):
        best = max(reversed(RECIPE), key=lambda name: hits[name][place != place[i]].sum())
        unseen.append(hits[best][i])
    chosen = result.metrics["choice"]["tta"]
    assert chosen["accuracy"] == pytest.approx(np.mean(unseen))
    assert chosen["accuracy_claimed"] == max(of.mean() for of in hits.values())
    assert chosen["accuracy_optimism"] == chosen["accuracy_claimed"] - chosen["accuracy"]
    assert chosen["accuracy_ci_low"] < chosen["accuracy"] < chosen["accuracy_ci_high"]


def test_the_labels_of_test_change_no_temperature() -> None:
    table = LABELS.table.copy()
    test = table["split"] == "test"
    table.loc[test, "labels"] = table.loc[test, "labels"].to_numpy()[::-1]
    before = evaluated(LABELS, Predictor(*RECIPE), PARAMS)
    after = evaluated(Labels(table, CLASSES, "single_label"), Predictor(*RECIPE), PARAMS)
    assert before.metrics["test"] != after.metrics["test"]
    assert before.metrics["valid"] == after.metrics["valid"]
    for name, found in before.predictions.items():
        assert found.temperatures == after.predictions[name].temperatures


def test_without_labelled_valid_pictures_nothing_is_calibrated() -> None:
    only_test = Labels(LABELS.table[LABELS.table["split"] == "test"], CLASSES, "single_label")
    result = evaluated(only_test, Predictor("head"), PARAMS)
    assert result.temperatures == {}
    assert not {"temperature", "log_loss_gained"} & set(result.metrics["test"]["tta"])
