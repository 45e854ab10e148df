"""What a run says of each picture, in the decisions that its scores are made of."""

import numpy as np
import pytest

from headstart.comparison.judged import judged
from headstart.evaluation.predictions import Kind
from headstart.scores.multi_label import f_beta
from headstart.scores.thresholds import cross_fitted
from tests.comparison.runs import CLASSES, Said, run_of


def test_a_class_is_judged_by_the_most_probable_one() -> None:
    rows = [
        Said("x", ["cat"], [0.5, 0.3, 0.2], tta=[0.1, 0.2, 0.7]),
        Said("y", ["owl"], [0.5, 0.1, 0.4]),
        Said("z", None, [1.0, 0.0, 0.0]),
        Said("v", ["cat"], [1.0, 0.0, 0.0], "valid"),
    ]
    run = run_of(rows)
    table = judged(run, "test", "plain", CLASSES)
    assert list(table.index) == ["x", "y"]
    assert list(table["said"]) == [("cat",), ("cat",)]
    assert list(table["labels"]) == [("cat",), ("owl",)]
    assert list(table["accuracy"]) == list(table["right"]) == [True, False]
    assert list(table["p_said"]) == [0.5, 0.5] and list(table["grade"]) == [0.5, 0.4]
    np.testing.assert_allclose(table["log_loss"], -np.log([0.5, 0.4]))
    assert judged(run, "test", "tta", CLASSES).loc["x", "said"] == ("owl",)


def test_pictures_of_other_classes_are_left_out() -> None:
    rows = [Said("x", ["cat"], [0.1, 0.9, 0.0]), Said("y", ["owl"], [0.0, 0.0, 1.0])]
    table = judged(run_of(rows), "test", "plain", {"cat", "owl"})
    assert list(table.index) == ["x", "y"] and table.loc["x", "said"] == ("eel",)
    assert list(judged(run_of(rows), "test", "plain", {"cat"}).index) == ["x"]


def test_labels_of_test_are_given_from_their_thresholds_on() -> None:
    rows = [Said("x", ["cat", "owl"], [0.5, 0.6, 0.4]), Said("y", [], [0.1, 0.1, 0.1])]
    table = judged(run_of(rows, task="multi_label"), "test", "plain", CLASSES)
    assert list(table["said"]) == [("cat", "eel"), ()]
    assert list(table["right"]) == [False, True]
    assert list(table["f2"]) == list(table["grade"]) == [0.5, 1.0]
    assert table["p_said"].isna().all() and "accuracy" not in table


def test_labels_that_do_not_count_are_left_out_of_the_f2() -> None:
    rows = [Said("x", ["cat", "owl"], [0.5, 0.6, 0.4])]
    table = judged(run_of(rows, task="multi_label"), "test", "plain", {"cat", "eel"})
    assert table.loc["x", "labels"] == ("cat",) and table.loc["x", "said"] == ("cat", "eel")
    assert table.loc["x", "f2"] == pytest.approx(5 / 6)


@pytest.mark.parametrize("kind", ["plain", "tta"])
def test_labels_of_valid_are_given_as_tta_evaluate_scores_them(kind: Kind) -> None:
    draws = np.random.default_rng(0)
    truth = draws.random((40, 3)) < 0.4
    values = np.clip(truth * 0.3 + draws.random((2, 40, 3)) * 0.6, 0, 1)
    rows = [
        Said(f"{i:02}", [c for c, has in zip(CLASSES, truth[i], strict=True) if has],
             values[0, i].tolist(), "valid", values[1, i].tolist())
        for i in range(40)
    ]  # fmt: skip
    table = judged(run_of(rows, task="multi_label"), "valid", kind, CLASSES)
    probabilities = values[("plain", "tta").index(kind)]
    expected = f_beta(cross_fitted(probabilities, truth, "global", np.arange(40) % 5), truth)
    np.testing.assert_array_equal(table["f2"], expected)
