"""Two runs side by side, as values."""

import json

import pytest

from headstart.comparison.comparison import compare
from tests.comparison.runs import PARAMS, Said, many, right, run_of


def test_the_same_predictions_are_told() -> None:
    assert compare(many(3), many(3)).notes == ["Both have the same predictions."]
    assert compare(many(3), many(4)).notes == []


def test_notes_on_a_run_come_first() -> None:
    assert compare(many(3), many(4, notes=("edited",))).notes == ["edited"]


def test_classes_that_differ_are_named() -> None:
    rows = [Said("x", ["a"], [1.0])]
    a = run_of(rows, ("a",))
    b = run_of([Said("x", ["a"], [1.0] + [0.0] * 7)], tuple("abcdefgh"))
    assert compare(a, b).notes == [
        "The classes differ (only in b: b, c, d, e, f and 2 more), so only accuracy is compared, over "
        "the classes that both have."
    ]
    [of] = compare(a, b).splits
    assert [score.key for score in of.scores] == ["accuracy", "accuracy"]


def test_runs_of_other_tasks_are_not_paired() -> None:
    b = run_of([Said("test00", ["cat"], right())], task="multi_label")
    found = compare(many(1), b)
    assert found.notes == ["a is single_label and b is multi_label, so nothing can be paired."]
    assert [of.n for of in found.splits] == [0, 0]


def test_the_json_has_all_of_it() -> None:
    b = many(1, "b", params={**PARAMS, "head": {"lr": 0.1}}, inputs={"src/x": "1"})
    found = json.loads(json.dumps(compare(many(3), b).as_json()))
    assert found["params"] == {"head.lr": {"b": 0.1}}
    assert found["inputs"] == ["src/x"] and found["b"] == {"name": "b", "commit": ""}
    of_test = found["splits"]["test"]
    assert (of_test["n_a"], of_test["n_b"], of_test["n_compared"]) == (60, 60, 60)
    [accuracy] = [s for s in of_test["scores"] if (s["score"], s["kind"]) == ("accuracy", "plain")]
    assert accuracy["difference"] == pytest.approx(2 / 60) and accuracy["b"] == 59 / 60
    assert accuracy["ci_low"] < 0 < accuracy["ci_high"] and accuracy["verdict"] == "within noise"
    assert of_test["pictures"]["tta"] == {
        "only_a_right": [],
        "only_b_right": ["test01", "test02"],
        "n_both_right": 57,
        "n_both_wrong": 1,
    }
