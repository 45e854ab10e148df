"""The numbers that a person reads first, and the curves over all stages."""

import pytest

from headstart.tracking.headline import curves, headline, work_ms
from headstart.tracking.records import Point, RunRecord


def record(stage: str, *points: Point, ms: int = 0) -> RunRecord:
    return RunRecord(
        key=stage, stage=stage, started_ms=1000, ended_ms=1000 + ms, params={}, tags={},
        points=list(points),
    )  # fmt: skip


def test_scores_have_short_names_and_four_digits() -> None:
    metrics = {
        "tta_evaluate.valid.plain.accuracy": 0.94751234,
        "tta_evaluate.valid.plain.accuracy_ci_low": 0.9,
        "tta_evaluate.valid.tta.accuracy": 0.97,
        "tta_evaluate.test.plain.accuracy": 0.94,
        "tta_evaluate.test.tta.accuracy": 0.96,
        "tta_evaluate.checkpoints.head.valid.plain.accuracy": 0.5,
        "train_head.valid.accuracy": 0.5,
    }
    assert list(headline(metrics, [record("resize", ms=754_321)]).items()) == [
        ("valid accuracy", 0.9475),
        ("valid TTA", 0.97),
        ("test accuracy", 0.94),
        ("test TTA", 0.96),
        ("minutes", 12.6),
    ]


def test_several_labels_have_f2_and_what_is_missing_is_left_out() -> None:
    metrics = {"tta_evaluate.valid.plain.f2": 0.5, "tta_evaluate.valid.tta.f2": 0.6}
    assert headline(metrics, []) == {"valid F2": 0.5, "valid TTA": 0.6}
    assert headline({}, []) == {}


def test_the_stages_that_were_restored_count_with_their_own_time() -> None:
    assert work_ms([record("resize", ms=3), record("train-head", ms=4)]) == 7


def test_the_epochs_of_all_stages_are_one_curve() -> None:
    head = [Point("train_loss", 0.9, 0, 1), Point("train_loss", 0.8, 1, 2), Point("lr", 0.1, 0, 1)]
    tuned = [Point("train_loss", 0.3, 0, 9), Point("valid_loss", 0.4, 0, 9)]
    other = [Point("loss", 5.0, 0, 1), Point("cycle", 1.0, 0, 1)]
    records = [
        record("unfreeze-finetune", *tuned),
        record("train-head", *head, *other),
        record("find-lr-head", Point("lr", 9.0, 0, 1)),
    ]
    assert curves(records) == [
        Point("epochs/train loss", 0.9, 0, 1),
        Point("epochs/train loss", 0.8, 1, 2),
        Point("epochs/lr", 0.1, 0, 1),
        Point("epochs/train loss", 0.3, 2, 9),
        Point("epochs/valid loss", 0.4, 2, 9),
    ]


@pytest.mark.parametrize("key", ["train_loss", "lr"])
def test_of_an_old_record_the_final_metric_is_no_point_of_the_curve(key: str) -> None:
    points = [Point(key, 0.9, 0, 1), Point(key, 0.8, 1, 2), Point(key, 0.7, 0, 3)]
    assert [p.value for p in curves([record("train-head", *points)])] == [0.9, 0.8]
