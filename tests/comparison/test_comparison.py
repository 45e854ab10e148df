"""Two runs side by side, as values and as text."""

import json
from typing import Any

import numpy as np
import pytest

from headstart.comparison.comparison import compare
from headstart.comparison.runs import Run
from headstart.comparison.text import N_PARAMS, WIDTH, comparison_text
from tests.comparison.runs import PARAMS, Said, cats, right, run_of, wrong


def many(n_wrong: int, name: str = "a", **of_run: Any) -> Run:
    """60 pictures of test and 40 of valid; the first `n_wrong` of each are wrong."""
    rows = [
        said
        for split, n in (("test", 60), ("valid", 40))
        for said in cats(
            {f"{split}{i:02}": wrong() if i < n_wrong else right() for i in range(n)}, split
        )
    ]
    return run_of(rows, name=name, **of_run)


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
    assert found["params"] == {"head.lr": {"a": "-", "b": "0.1"}}
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


def test_the_text_fits_80_columns() -> None:
    params = {
        **PARAMS,
        "unfreeze_finetune": {f"a_key_with_a_long_name_{i}": "x" * i for i in range(40)},
    }
    a = many(40, "a" * 60, commit="0123456 " + "word " * 30, inputs={"src/headstart/a" * 9: "1"})
    text = comparison_text(compare(a, many(0, params=params)))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert f"and {40 - N_PARAMS} more: --html and --json show them all" in text
    assert "accuracy, plain     0.3333   1.0000   +0.6667" in text and "b is better" in text
    assert "right, TTA        only a: 0, only b: 40, both: 20, neither: 0" in text


def test_the_text_of_runs_with_nothing_in_common() -> None:
    values = {"accuracy": 0.5, "accuracy_ci_low": 0.25, "accuracy_ci_high": 0.75}
    a = run_of(cats({"x": right()}), scores={"test": {"plain": values}})
    b = run_of(cats({"y": right()}))
    text = comparison_text(compare(a, b))
    assert "test: 0 pictures in both (a has 1, b has 1)" in text
    assert "accuracy, plain   0.5000 (0.2500 to 0.7500)   -" in text
    assert "No param differs." in text


def test_runs_without_scores() -> None:
    assert "so nothing is scored" in comparison_text(compare(run_of([]), run_of([])))


def test_the_same_runs_give_the_same_text() -> None:
    draws = np.random.default_rng(1)
    runs = [
        run_of(cats({f"{i:02}": right(float(p)) for i, p in enumerate(draws.random(30))}))
        for _ in "ab"
    ]
    assert comparison_text(compare(*runs)) == comparison_text(compare(*runs))
