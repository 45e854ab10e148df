"""What the page says of each class."""

import numpy as np
import pandas as pd
import pytest

from headstart.evaluation.intervals import f1_interval, wilson
from headstart.reporting.class_table import Share, class_rows

TABLES = pd.DataFrame(
    {"label": ["cat", "dog", "fox"], "found": [8, 6, 0], "missed": [0, 4, 0], "extra": [1, 2, 0]}
)
RECALL = {"recall": {"dog": 0.5}, "recall_ci_low": {"dog": 0.2}, "recall_ci_high": {"dog": 0.8}}


def test_the_class_with_the_most_errors_is_first_and_shares_have_intervals() -> None:
    dog, cat, fox = class_rows(TABLES, {"test": {"tta": RECALL}}, 0.95, [("test", "tta")])
    assert (dog.name, dog.n, cat.name, cat.n) == ("dog", 10, "cat", 8)
    assert dog.recall == Share(0.6, *wilson(6, 10, 0.95))
    assert dog.precision == Share(0.75, *wilson(6, 8, 0.95))
    assert dog.f1 is not None and dog.f1.value == pytest.approx(2 * 0.6 * 0.75 / (0.6 + 0.75))
    assert dog.f1.low < dog.f1.value < dog.f1.high
    assert dog.recalls == [Share(0.5, 0.2, 0.8)] and cat.recalls == [None]
    assert fox == ("fox", 0, None, None, None, [None])


def test_a_class_without_errors_still_has_an_interval() -> None:
    low, high = f1_interval(20, 0, 0.95)
    assert 0.8 < low < high == 1
    assert f1_interval(0, 5, 0.95)[0] == 0


def test_the_interval_of_f1_holds_the_truth_about_as_often_as_it_says() -> None:
    """Pictures are drawn of a class with known shares of found, missed, extra and neither."""
    draws = np.random.default_rng(0).multinomial(150, [0.2, 0.05, 0.05, 0.7], size=2000)
    truth = 2 * 0.2 / (2 * 0.2 + 0.1)
    held = [
        low <= truth <= high
        for found, missed, extra, _ in draws.tolist()
        for low, high in [f1_interval(found, missed + extra, 0.9)]
    ]
    assert np.mean(held) == pytest.approx(0.9, abs=0.025)
