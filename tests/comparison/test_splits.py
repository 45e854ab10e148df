"""Scores of two runs on one split: paired by picture, or apart where nothing is in common."""

import numpy as np
import pytest

from headstart.comparison.runs import Run
from headstart.comparison.scores import CONFIDENCE, N_BOOTSTRAP, OwnScore, PairedScore
from headstart.comparison.splits import SplitComparison, compare_split
from headstart.evaluation.paired import difference_of_means, difference_of_shares
from tests.comparison.runs import CLASSES, Said, cats, right, run_of, wrong


def compared(a: Run, b: Run, split: str = "test", **options: bool) -> SplitComparison:
    found = compare_split(a, b, split, CLASSES, **{"same_classes": True, **options})
    assert found is not None
    return found


A = run_of(cats({"p1": right(), "p2": right(), "p3": wrong(), "p4": wrong(), "p5": right(0.6)}))
B = run_of(cats({"p5": right(), "p4": right(0.9), "p3": wrong(), "p2": wrong(), "p0": right()}))


def test_pictures_are_paired_by_id() -> None:
    of = compared(A, B)
    assert (of.n_a, of.n_b, of.n) == (5, 5, 4) and of.own_scores == []
    [accuracy] = [s for s in of.scores if (s.key, s.kind) == ("accuracy", "plain")]
    hits_a, hits_b = np.array([True, False, False, True]), np.array([False, False, True, True])
    difference = difference_of_shares(hits_a, hits_b, CONFIDENCE)
    assert accuracy == PairedScore("accuracy", "plain", 0.5, 0.5, difference)
    [loss] = [s for s in of.scores if (s.key, s.kind) == ("log_loss", "tta")]
    losses_a, losses_b = -np.log([0.8, 0.1, 0.1, 0.6]), -np.log([0.1, 0.1, 0.9, 0.8])
    draws = np.random.default_rng(0)
    expected = difference_of_means(losses_a, losses_b, N_BOOTSTRAP, CONFIDENCE, draws)
    assert (loss.a, loss.b) == pytest.approx((losses_a.mean(), losses_b.mean()))
    assert loss.difference == expected


def test_the_pictures_that_one_alone_gets_right() -> None:
    of = compared(A, B)
    assert list(of.one_right("plain", "a").index) == ["p2"]
    assert list(of.one_right("plain", "b").index) == ["p4"]
    assert (of.n_both("plain", right=True), of.n_both("plain", right=False)) == (1, 1)


def test_the_widest_gap_comes_first() -> None:
    a = run_of(cats({"x": right(0.6), "y": right(0.95), "z": right(0.7)}))
    b = run_of(cats({"x": wrong(0.4), "y": wrong(0.1), "z": wrong(0.0)}))
    assert list(compared(a, b).one_right("tta", "a").index) == ["y", "z", "x"]


def test_pictures_with_other_labels_are_left_out() -> None:
    b = run_of([*cats({"p1": right()}), Said("p2", ["owl"], right())])
    of = compared(A, b)
    assert of.n == 1
    assert of.notes == ["Left out: 1 picture whose labels differ in the runs."]


def test_pictures_of_a_class_that_one_run_lacks_are_left_out() -> None:
    a = run_of([*cats({"x": right()}), Said("y", ["eel"], right())])
    b = run_of([Said("x", ["cat"], [0.9, 0.1]), Said("y", ["owl"], [0.9, 0.1])], ("cat", "owl"))
    of = compare_split(a, b, "test", {"cat", "owl"}, same_classes=False)
    assert of is not None and list(of.pictures["plain"].index) == ["x"]
    assert of.notes == ["Left out: 1 picture whose class only one of the runs has."]
    assert {score.key for score in of.scores} == {"accuracy"}


def test_labels_are_the_same_in_any_order_of_the_classes() -> None:
    a = run_of([Said("x", ["cat", "eel"], [0.9, 0.9, 0.1])], task="multi_label")
    b = run_of([Said("x", ["cat", "eel"], [0.1, 0.9, 0.9])], ("owl", "eel", "cat"), "multi_label")
    of = compared(a, b)
    assert of.n == 1 and [s.b for s in of.scores if s.key == "f2"] == [1.0, 1.0]


def scores(accuracy: float) -> dict[str, object]:
    values = {"accuracy": accuracy, "accuracy_ci_low": 0.1, "accuracy_ci_high": 0.9}
    return {"test": {"plain": {**values, "recall": {"cat": 1.0}}}}


def test_without_a_common_picture_each_has_its_own_scores() -> None:
    a = run_of(cats({"x": right()}), trained=["y"], scores=scores(0.75))
    b = run_of(cats({"y": right(), "z": right()}), trained=["v", "w"])
    of = compared(a, b)
    assert (of.n_a, of.n_b, of.n, of.scores, of.pictures) == (1, 2, 0, [], {})
    assert of.own_scores == [OwnScore("accuracy", "plain", (0.75, 0.1, 0.9), None)]
    assert of.notes[0].startswith("No picture of test can be compared in both")
    assert of.notes[1:] == [
        "a was trained on 1 picture of b's test, so the two cannot be compared fairly on it."
    ]


def test_pictures_in_another_split_are_not_paired() -> None:
    a = run_of([*cats({"x": right()}), *cats({"y": right()}, "valid")])
    b = run_of([*cats({"y": right()}), *cats({"x": right()}, "valid")])
    assert compared(a, b).n == 0 and compared(a, b, "valid").n == 0


def test_what_the_other_was_trained_on_is_told_beside_paired_scores() -> None:
    a = run_of(cats({"x": right(), "y": right(), "z": right()}))
    b = run_of(cats({"x": right()}), trained=["y", "z"])
    of = compared(a, b)
    assert of.n == 1
    assert of.notes == [
        "b was trained on 2 pictures of a's test, so the two cannot be compared fairly on them."
    ]


def test_a_split_that_one_run_has_or_none() -> None:
    a, b = run_of(cats({"x": right()}), scores=scores(1.0)), run_of([])
    assert compared(a, b).notes == ["Only a has labelled pictures of test."]
    assert compared(b, a).notes == ["Only b has labelled pictures of test."]
    assert compare_split(a, b, "valid", CLASSES, same_classes=True) is None
