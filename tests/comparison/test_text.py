"""Two runs side by side on a terminal of 80 columns."""

import numpy as np

from headstart.comparison.comparison import compare
from headstart.comparison.text import N_PARAMS, WIDTH, comparison_text
from tests.comparison.runs import PARAMS, cats, many, right, run_of


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
