"""What differs between two rows, and the name of a row."""

import pytest

from headstart.tracking.row_name import changes, row_name


def test_what_differs_is_told_in_the_order_of_the_params() -> None:
    before = {"b.lr": "0.1", "a.name": "x", "gone": "1"}
    now = {"a.name": "x", "c.new": "True", "b.lr": "0.2"}
    assert changes(before, now) == ["c.new=True", "b.lr=0.2", "no gone"]
    assert changes(now, now) == []


def test_of_a_long_value_the_end_is_told() -> None:
    path = "/a/very/long/folder/of/pictures"
    assert changes({}, {"dataset.source": path}) == ["dataset.source=…long/folder/of/pictures"]
    assert changes({}, {"a": "x" * 24}) == [f"a={'x' * 24}"]


@pytest.mark.parametrize(
    ("changed", "experiment", "subject", "name"),
    [
        (["train_head.lr=0.005"], "calm-otter", "A commit", "train_head.lr=0.005"),
        (["a=1", "b=2"], "", "", "a=1, b=2"),
        (["a=1", "b=2", "c=3", "d=4", "e=5"], "", "", "a=1, b=2, +3"),
        ([], "calm-otter", "A commit", "calm-otter"),
        ([], "", "A commit", "A commit"),
        ([], "", "", "run"),
        ([], "", "x" * 99, "x" * 80),
    ],
)
def test_a_row_is_named_by_what_differs(
    changed: list[str], experiment: str, subject: str, name: str
) -> None:
    assert row_name(changed, experiment, subject) == name
