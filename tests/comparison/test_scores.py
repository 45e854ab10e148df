"""Which scores are compared, and which run is better."""

import pytest

from headstart.comparison.runs import Run
from headstart.comparison.scores import PairedScore
from headstart.comparison.splits import compare_split
from headstart.evaluation.paired import Difference
from tests.comparison.runs import CLASSES, Said, cats, right, run_of, wrong


def plain_scores(a: Run, b: Run, same_classes: bool = True) -> dict[str, PairedScore]:
    """The paired scores of the plain view, by key."""
    of = compare_split(a, b, "test", CLASSES, same_classes)
    assert of is not None
    return {score.key: score for score in of.scores if score.kind == "plain"}


@pytest.mark.parametrize(
    ("key", "value", "verdict"),
    [
        ("accuracy", 0.1, "b is better"),
        ("accuracy", -0.1, "a is better"),
        ("log_loss", 0.1, "a is better"),
        ("log_loss", -0.1, "b is better"),
    ],
)
def test_a_lower_loss_is_better(key: str, value: float, verdict: str) -> None:
    clear = Difference(value, *sorted((value / 2, value * 2)))
    assert PairedScore(key, "plain", 0.5, 0.5 + value, clear).verdict == verdict
    noise = Difference(value, -1.0, 1.0)
    assert PairedScore(key, "plain", 0.5, 0.5 + value, noise).verdict == "within noise"


def test_each_task_has_its_scores() -> None:
    single = run_of(cats({"x": right()}))
    assert list(plain_scores(single, single)) == ["accuracy", "log_loss", "macro_f1"]
    rows = [Said("x", ["cat"], right()), Said("y", [], right())]
    multi, unlabelled = run_of(rows, task="multi_label"), run_of(rows[1:], task="multi_label")
    assert list(plain_scores(multi, multi)) == ["f2", "log_loss", "map"]
    assert list(plain_scores(unlabelled, unlabelled)) == ["f2", "log_loss"]  # mAP is undefined
    assert list(plain_scores(multi, multi, same_classes=False)) == ["f2"]


def test_macro_f1_is_of_the_pictures_in_both() -> None:
    rows = [*cats({"p1": right(), "p2": wrong()}), Said("p3", ["eel"], wrong())]
    score = plain_scores(run_of(rows), run_of(rows[:2]))["macro_f1"]
    assert score.a == score.b == pytest.approx(1 / 3)  # cat 2/3, and eel 0, which is predicted once


def test_map_pairs_the_labels_by_name() -> None:
    a = [Said("x", ["cat"], [0.1, 0.5, 0.1]), Said("y", ["eel"], [0.9, 0.9, 0.1])]
    b = [Said("x", ["cat"], [0.1, 0.9, 0.5]), Said("y", ["eel"], [0.1, 0.9, 0.1])]
    score = plain_scores(
        run_of(a, task="multi_label"), run_of(b, ("owl", "cat", "eel"), "multi_label")
    )["map"]
    assert (score.a, score.b) == ((0.5 + 1) / 2, (0.5 + 0.5) / 2)  # of cat and of eel
