"""Which predictions and scores come out, and under which keys."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.metrics import accuracy_score, f1_score, log_loss, recall_score

from headstart.core.metrics import Floats
from headstart.steps.tta_evaluate import TtaEvaluateParams, tta_evaluate
from headstart.store.index import Labels
from headstart.store.reports import flatten

CLASSES = ("cat", "dog", "owl")
PARAMS = TtaEvaluateParams(
    n_views=2, mean="arithmetic", plain_weight=0.4, confidence=0.95, n_bootstrap=200, seed=3
)
SCORES = [f"{name}{end}" for name in ("accuracy", "log_loss", "macro_f1")
          for end in ("", "_ci_low", "_ci_high")]  # fmt: skip


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
    """Random probabilities, a function of checkpoint and id; remembers what it was asked."""

    def __init__(self, *checkpoints: str, n_views: int = 2) -> None:
        self.checkpoints, self.n_views = checkpoints, n_views
        self.asked: list[list[str]] = []

    def of(self, checkpoint: str, picture: str) -> Floats:
        rng = np.random.default_rng(list(f"{checkpoint} {picture}".encode()))
        return rng.dirichlet(np.ones(3), 1 + self.n_views)  # (1 + V, K)

    def __call__(self, ids: Sequence[str]) -> Mapping[str, Floats]:
        self.asked.append(list(ids))
        return {name: np.stack([self.of(name, i) for i in ids], 1) for name in self.checkpoints}


RECIPE = ("head", "augmented", "finetuned")


def test_every_promised_key_is_there_and_no_other() -> None:
    metrics = tta_evaluate(LABELS, Predictor(*RECIPE), PARAMS).metrics
    assert list(metrics) == ["valid", "test", "checkpoints"]
    assert list(metrics["checkpoints"]) == list(RECIPE)
    assert metrics["checkpoints"]["finetuned"] == {k: metrics[k] for k in ("valid", "test")}
    ends = ("recall", "recall_ci_low", "recall_ci_high")
    for split, names in (("valid", CLASSES[:2]), ("test", CLASSES)):
        for kind in ("plain", "tta"):
            recalls = {f"{end}.{name}" for end in ends for name in names}
            assert set(flatten(metrics[split][kind])) == {"n_pictures", *SCORES, *recalls}
    for key, value in flatten(metrics).items():
        assert isinstance(value, (int, float)), key


def test_scores_are_those_of_scikit_learn_over_the_whole_split() -> None:
    predictor = Predictor(*RECIPE)
    metrics = tta_evaluate(LABELS, predictor, PARAMS).metrics
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
            for score in ("accuracy", "log_loss", "macro_f1"):
                assert scores[f"{score}_ci_low"] <= scores[score] <= scores[f"{score}_ci_high"]


def test_each_split_is_predicted_once_and_train_never() -> None:
    predictor = Predictor(*RECIPE)
    tta_evaluate(LABELS, predictor, PARAMS)
    assert predictor.asked == [LABELS.ids("valid"), LABELS.ids("test")]


def test_predictions_are_joined_by_id_and_the_last_checkpoint_is_final() -> None:
    predictor = Predictor(*RECIPE)
    predictions = tta_evaluate(LABELS, predictor, PARAMS).predictions
    assert list(predictions) == ["head", "augmented", "predictions"]
    for checkpoint, name in zip(RECIPE, predictions, strict=True):
        table = predictions[name].table
        assert table["split"].tolist() == ["valid"] * 13 + ["test"] * 9
        for row, picture in enumerate(table["id"]):
            expected = predictor.of(checkpoint, picture)
            assert (predictions[name].views[:, row] == expected).all()
            assert predictions[name].tta[row] == pytest.approx(expected.mean(axis=0))
    targets = dict(zip(table["id"], table["target"], strict=True))
    assert targets["v99"] is pd.NA
    assert (targets["v0"], targets["v1"], targets["t2"]) == (0, 1, 2)


def test_a_picture_without_label_counts_in_no_score() -> None:
    without = Labels(LABELS.table[LABELS.table["id"] != "v99"], CLASSES, "single_label")
    kept = tta_evaluate(LABELS, Predictor(*RECIPE), PARAMS).metrics
    assert kept == tta_evaluate(without, Predictor(*RECIPE), PARAMS).metrics
    assert kept["valid"]["plain"]["n_pictures"] == 12


def test_what_does_not_exist_has_no_key() -> None:
    labels = make_labels(("a", "cat", "train"), ("v", "dog", "valid"), ("t", None, "test"))
    result = tta_evaluate(labels, Predictor("head"), PARAMS)
    assert list(result.metrics) == ["valid", "checkpoints"]
    assert list(result.metrics["checkpoints"]) == ["head"]
    assert result.predictions["predictions"].table["id"].tolist() == ["v", "t"]


def test_without_augmented_views_tta_is_plain() -> None:
    params = PARAMS.model_copy(update={"n_views": 0})
    metrics = tta_evaluate(LABELS, Predictor("head", n_views=0), params).metrics
    assert metrics["valid"]["plain"] == metrics["valid"]["tta"]


def test_a_score_is_a_function_of_its_pictures_and_the_seed_alone() -> None:
    first = tta_evaluate(LABELS, Predictor(*RECIPE), PARAMS).metrics
    assert first == tta_evaluate(LABELS, Predictor(*RECIPE), PARAMS).metrics
    alone = tta_evaluate(LABELS, Predictor("finetuned"), PARAMS).metrics
    assert alone["test"] == first["test"]
    other = tta_evaluate(LABELS, Predictor(*RECIPE), PARAMS.model_copy(update={"seed": 4})).metrics
    assert other["test"]["tta"]["log_loss_ci_low"] != first["test"]["tta"]["log_loss_ci_low"]


def test_what_cannot_be_evaluated_is_refused() -> None:
    with pytest.raises(ValueError, match="the task is multi_label"):
        multi = Labels(LABELS.table, CLASSES, "multi_label")
        tta_evaluate(multi, Predictor("head"), PARAMS)
    with pytest.raises(ValueError, match="no picture is in valid or test"):
        tta_evaluate(make_labels(("a", "cat", "train")), Predictor("head"), PARAMS)
    with pytest.raises(ValueError, match=r"views of head on valid: \(5, 13, 3\), not \(3, 13, 3\)"):
        tta_evaluate(LABELS, Predictor("head", n_views=4), PARAMS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_views": -1},
        {"n_views": 1.5},
        {"mean": "median"},
        {"plain_weight": 1.1},
        {"confidence": 1.0},
        {"n_bootstrap": 10},
        {"seed": -1},
        {"views": 4},
    ],
)
def test_params_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TtaEvaluateParams.model_validate({**PARAMS.model_dump(), **wrong})
