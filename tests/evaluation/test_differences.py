"""Differences of whole tables: joined by id, scored as tta-evaluate scores them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from headstart.evaluation.differences import (
    picture_scores,
    score_differences,
    scoring_of,
    shared_pictures,
)
from headstart.evaluation.predictions import Predictions
from headstart.evaluation.scoring import Scoring, class_scores, label_scores
from headstart.labels.task import Task
from headstart.project.errors import HeadstartError
from headstart.scores.thresholds import cross_fitted, decide

SCORING = Scoring(0.95, 300, 0)


def table(seed: int, n: int = 60, task: Task = "single_label", start: int = 0) -> Predictions:
    """Predictions of n pictures of 3 classes; pictures and labels do not depend on `seed`."""
    places = range(start, start + n)
    targets: list[Any] = [
        [i % 3] if task == "single_label" else sorted({i % 3, i % 2}) for i in places
    ]
    rows = pd.DataFrame({"id": [f"{i:04}" for i in places], "split": "test", "targets": targets})
    views = np.random.default_rng(seed).dirichlet([1, 1, 1], (2, n))
    thresholds = {} if task == "single_label" else {"plain": (0.3,) * 3, "tta": (0.4,) * 3}
    return Predictions(("a", "b", "c"), rows, views, views.mean(axis=0), task, thresholds)  # type: ignore[arg-type]


def test_pictures_are_joined_by_id_and_only_where_the_labels_agree() -> None:
    before, after = table(1, 10), table(2, 10, start=4)
    after.table["targets"] = [[2], *after.table["targets"][1:]]  # picture 0004 has another label
    first, second = shared_pictures(before, after, "test")
    assert (
        first.table["id"].tolist()
        == second.table["id"].tolist()
        == [f"{i:04}" for i in range(5, 10)]
    )
    assert (first.tta == before.tta[5:]).all()
    assert (second.views == after.views[:, 1:6]).all()


def test_other_classes_cannot_be_compared() -> None:
    other = Predictions(("a", "b", "d"), table(1).table, table(1).views, table(1).tta)
    with pytest.raises(HeadstartError, match=r"3 classes \(a, b, c; single_label\) and 3 classes"):
        shared_pictures(table(1), other, "test")


def test_one_class_each_differs_by_what_the_scores_differ_by() -> None:
    before, after = table(1), table(2)
    found = score_differences(before, after, "test", ("plain", "tta"), "global", SCORING)
    there = class_scores(before.views[0], before.class_numbers(), before.classes, SCORING)
    here = class_scores(after.tta, after.class_numbers(), after.classes, SCORING)
    for name in ("accuracy", "log_loss"):
        difference = found[name]
        assert difference.value == pytest.approx(here[name] - there[name])
        assert difference.low < difference.value < difference.high


@pytest.mark.parametrize("split", ["valid", "test"])
def test_many_labels_are_decided_as_tta_evaluate_decides_them(split: str) -> None:
    tables = table(1, task="multi_label"), table(2, task="multi_label")
    found = score_differences(*tables, split, ("plain", "plain"), "global", SCORING)
    f2 = []
    for one in tables:
        truth, said = one.multi_hot(), one.views[0]
        crossed = cross_fitted(said, truth, "global", one.folds())
        decided = crossed if split == "valid" else decide(said, (0.3,) * 3)
        f2.append(label_scores(said, truth, decided, decided, one.classes, SCORING)["f2"])
        assert picture_scores(one, split, "plain", "global").mean() == pytest.approx(f2[-1])
    assert found["f2"].value == pytest.approx(f2[1] - f2[0])


def test_a_step_that_changes_nothing_differs_by_nothing() -> None:
    for task in ("single_label", "multi_label"):
        same = table(3, task=task)
        found = score_differences(same, same, "test", ("tta", "tta"), "per_label", SCORING)
        assert all(one.value == 0 and one.within_noise for one in found.values())


def test_no_shared_picture_has_no_difference() -> None:
    pair = shared_pictures(table(1, 3), table(1, 3, start=5), "test")
    assert score_differences(*pair, "test", ("tta", "tta"), "global", SCORING) == {}


def test_the_section_says_how_intervals_are_made() -> None:
    section = {"confidence": 0.9, "n_bootstrap": 100, "seed": 4, "mean": "arithmetic"}
    assert scoring_of(section) == Scoring(0.9, 100, 4)
