"""Which pairs and which pictures are picked; the 2 x 2 tables."""

import numpy as np
import pytest
from sklearn.metrics import multilabel_confusion_matrix, precision_recall_fscore_support

from headstart.reporting.class_confusion import ClassConfusion
from headstart.reporting.confusion import (
    Pick,
    confused_pairs,
    matrix_tables,
    picked_rows,
    two_by_two_tables,
)

COUNTS = np.array([[5, 2, 1], [2, 0, 0], [4, 0, 3]])


def test_pairs_are_off_diagonal_most_frequent_first_and_equals_in_class_order() -> None:
    pairs = confused_pairs(COUNTS, ["a", "b", "c"])
    rows = [tuple(row) for row in pairs.itertuples(index=False)]
    assert rows == [
        ("c", "a", 4, 4 / 7),
        ("a", "b", 2, 2 / 8),
        ("b", "a", 2, 1.0),
        ("a", "c", 1, 1 / 8),
    ]


def test_without_errors_there_is_no_pair() -> None:
    assert confused_pairs(np.diag([3, 0]), ["a", "b"]).empty


def test_both_forms_of_the_matrix_hold_the_counts() -> None:
    long, wide = matrix_tables(COUNTS, ["a", "b", "c"])
    assert list(long.iloc[1]) == ["a", "b", 2]
    assert long["count"].to_list() == COUNTS.ravel().tolist()
    assert list(wide.iloc[2]) == ["c", 4, 0, 3]


def test_a_class_may_be_called_as_a_column() -> None:
    _, wide = matrix_tables(np.eye(2, dtype=np.int64), ["actual", "count"])
    assert wide.columns.tolist() == ["actual", "actual", "count"]


P = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.6, 0.4], [0.4, 0.6], [0.3, 0.7]])
TARGETS = np.array([0, 0, 0, 0, 1, 0])


@pytest.mark.parametrize(
    ("pick", "expected"),
    [
        ("most_correct", [[0, 1, 3], [4]]),  # rows 1 and 3 are equal: the lower id comes first
        ("most_wrong", [[2, 5], []]),  # fewer than asked for
        ("most_uncertain", [[1, 3, 5], [4]]),
    ],
)
def test_picked_rows(pick: Pick, expected: list[list[int]]) -> None:
    assert [rows.tolist() for rows in picked_rows(pick, P, TARGETS, 3)] == expected
    assert [rows.tolist() for rows in picked_rows(pick, P, TARGETS, 0)] == [[], []]


def test_nothing_is_picked_of_nothing() -> None:
    nothing = picked_rows("most_wrong", np.zeros((0, 2)), np.zeros(0, np.int64), 3)
    assert [rows.tolist() for rows in nothing] == [[], []]


def test_the_tables_agree_with_scikit_learn() -> None:
    draws = np.random.default_rng(0)
    truth, decided = draws.random((50, 3)) < 0.4, draws.random((50, 3)) < 0.5
    table = two_by_two_tables(decided, truth, list("abc"), (0.1, 0.2, 0.3))
    expected = multilabel_confusion_matrix(truth, decided)  # (K, 2, 2): tn, fp, fn, tp
    counted = table[["neither", "extra", "missed", "found"]].to_numpy().reshape(-1, 2, 2)
    assert (counted == expected).all()
    scores = precision_recall_fscore_support(truth, decided)
    assert np.allclose(table["precision"], scores[0]) and np.allclose(table["recall"], scores[1])
    assert table["threshold"].to_list() == [0.1, 0.2, 0.3]


def test_a_share_of_nothing_is_undefined_and_a_share_of_something_is_not() -> None:
    never, has = np.zeros((2, 2), bool), np.array([[True, False], [False, False]])
    table = two_by_two_tables(never, has, ["a", "b"])
    assert table["recall"].to_list()[0] == 0
    assert table[["precision", "threshold"]].isna().to_numpy().all()
    assert np.isnan(table["recall"][1])


def test_one_class_against_the_rest() -> None:
    confusion = ClassConfusion(("a", "b"), P, TARGETS)
    rows = confusion.tables()[["found", "missed", "extra", "neither"]].to_numpy().tolist()
    assert rows == [[3, 2, 0, 1], [1, 0, 2, 3]]
    assert confusion.numbers() == {"n_pictures": 6, "n_errors": 2}
    assert confusion.caption(2, 0) == "→ b 0.80\na 0.20" and not confusion.right(2, 0)
    assert confusion.caption(4, 1) == "→ b 0.60" and confusion.right(4, 1)
