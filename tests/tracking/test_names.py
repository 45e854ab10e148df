"""Names in MLflow: all are taken, those that are fine stay, and no two keys share one."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils import validation

from headstart.tracking.names import mlflow_name
from headstart.tracking.state import numbers
from headstart.tracking.tracker import Tracker, publish
from tests.tracked import row

PIECES = [*"./-_: +*?\n\0aé", "..", "--28dfc35e", "e\u0301", "\udcff", "漢", "हि"]
KEYS = st.lists(st.sampled_from(PIECES) | st.integers(0, 0x10FFFF).map(chr), max_size=6).map(
    "".join
)


def takes(name: str) -> bool:
    check: Any = validation._validate_metric_name
    try:
        check(name)
    except MlflowException:
        return False
    return len(name) <= validation.MAX_ENTITY_KEY_LENGTH and not name.endswith("\n")


@pytest.mark.parametrize(
    "key", ["recall.St. Bernard", "a/b", "a:b", "café", "漢字", "x" * 250, "a-b"]
)
def test_a_name_that_mlflow_takes_stays(key: str) -> None:
    assert takes(key) and mlflow_name(key) == key


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("recall.a+b", "recall.a_b--28dfc35e"),
        ("recall.a*b", "recall.a_b--acb59494"),
        ("recall.a_b--28dfc35e", "recall.a_b--28dfc35e--be278ee5"),
    ],
)
def test_a_name_that_mlflow_refuses_is_changed_and_marked(key: str, name: str) -> None:
    assert mlflow_name(key) == name


@given(KEYS)
def test_every_name_is_taken_and_only_those_change_that_must(key: str) -> None:
    name = mlflow_name(key)
    assert takes(name)
    assert (name == key) == (takes(key) and not re.search("--[0-9a-f]{8}$", key))


@given(st.sets(KEYS, max_size=8))
def test_no_two_keys_share_a_name(keys: set[str]) -> None:
    keys |= {mlflow_name(key) for key in keys}  # also a class that is called like a changed name
    assert len({mlflow_name(key) for key in keys}) == len(keys)


@pytest.mark.usefixtures("tracked_project")
def test_classes_that_differ_in_refused_characters_are_metrics_and_params_of_their_own() -> None:
    classes = [
        "a+b",
        "a*b",
        "a_b",
        "a/b",
        "A+b",
        "e\u0301",
        "é",
        "x" * 300,
        "x" * 299 + "y",
        "/",
        ".",
    ]
    recall = {name: i / 10 for i, name in enumerate(classes)}
    metrics = numbers({"recall": recall})
    row_id = publish(row(**metrics), [])
    assert row_id is not None
    tracker = Tracker()
    stored = tracker.client.get_run(row_id).data
    assert sorted(stored.metrics.values()) == sorted(recall.values())
    assert stored.metrics["recall.a/b"] == recall["a/b"]
    tracker.log_params(row_id, {f"cost.{name}": name for name in classes})
    costs = {k: v for k, v in tracker.client.get_run(row_id).data.params.items() if "cost." in k}
    assert sorted(costs.values()) == sorted(classes)
