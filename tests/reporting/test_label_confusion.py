"""What is missed for what, which pictures are shown, and what is said of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix

from headstart.reporting.confusion import Pick
from headstart.reporting.label_confusion import LabelConfusion, label_events, none_name

LABELS = ("clear", "haze", "road")
NONE = 3


def events(said: list[int], has: list[int]) -> list[tuple[int, int]]:
    """(actual, predicted) of one picture."""
    return [tuple(event) for event in label_events(row(said), row(has))[:, 1:].tolist()]


def row(labels: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.isin(np.arange(3), labels)[None]


@pytest.mark.parametrize(
    ("said", "has", "expected"),
    [
        ([0, 2], [0, 2], [(0, 0), (2, 2)]),
        ([0], [1], [(1, 0)]),  # missed for an extra one
        ([0, 2], [1, 2], [(2, 2), (1, 0)]),  # what was found has no part in the error
        ([0, 2], [1], [(1, 0), (1, 2)]),  # against each extra label
        ([0], [1, 2], [(1, 0), (2, 0)]),
        ([0], [0, 1], [(0, 0), (1, NONE)]),  # missed, and nothing in its place
        ([0, 1], [0], [(0, 0), (NONE, 1)]),  # extra, and nothing missed
        ([], [1], [(1, NONE)]),
        ([1], [], [(NONE, 1)]),
        ([], [], [(NONE, NONE)]),  # nothing there and nothing said
    ],
)
def test_what_is_said_for_what(
    said: list[int], has: list[int], expected: list[tuple[int, int]]
) -> None:
    assert events(said, has) == expected


BOOLS = arrays(bool, (6, 3))


@given(BOOLS, BOOLS)
def test_every_picture_and_every_wrong_label_has_an_event(
    said: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    has: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> None:
    rows, actual, predicted = label_events(said, has).T
    assert sorted(set(rows.tolist())) == list(range(6)) and (np.diff(rows) >= 0).all()
    for number in range(3):
        found = (actual == number) & (predicted == number)
        missed, extra = (actual == number) & ~found, (predicted == number) & ~found
        assert rows[found].tolist() == (said & has)[:, number].nonzero()[0].tolist()
        assert set(rows[missed]) == set((has & ~said)[:, number].nonzero()[0])
        assert set(rows[extra]) == set((said & ~has)[:, number].nonzero()[0])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_with_one_label_each_it_is_the_usual_matrix(pairs: list[tuple[int, int]]) -> None:
    actual, said = np.array(pairs).T
    eye = np.eye(3, dtype=bool)
    confusion = LabelConfusion(LABELS, eye[said].astype(float), eye[actual], (0.5,) * 3)
    usual = confusion_matrix(actual, said, labels=[0, 1, 2])
    assert (confusion.matrix()[:3, :3] == usual).all()
    assert confusion.matrix().sum() == len(pairs)


def test_no_label_is_called_as_what_stands_for_none() -> None:
    assert none_name(["none", "clear"]) == "(none)"
    assert none_name(["(none)", "((none))"]) == "(((none)))"


THRESHOLDS = (0.5, 0.2, 0.4)
P = np.array(
    [
        [0.90, 0.10, 0.10],  # clear found, haze missed
        [0.60, 0.35, 0.39],  # clear extra, haze found
        [0.70, 0.05, 0.40],  # clear extra, haze missed; road found at its threshold
        [0.20, 0.80, 0.10],  # clear missed, haze extra
        [0.10, 0.21, 0.00],  # haze found
        [0.80, 0.15, 0.10],  # clear found
    ]
)
TRUTH = np.array(
    [[1, 1, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]],
    bool,
)
CONFUSION = LabelConfusion(LABELS, P, TRUTH, THRESHOLDS)


def test_what_is_counted() -> None:
    assert CONFUSION.numbers() == {"n_pictures": 6, "n_errors": 4, "n_missed": 3, "n_extra": 3}
    assert CONFUSION.matrix().tolist() == [[2, 1, 0, 0], [1, 2, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert CONFUSION.tables()["threshold"].to_list() == list(THRESHOLDS)
    assert CONFUSION.tables()["found"].to_list() == [2, 2, 1]
    table = CONFUSION.pairs()  # what stands for no label is no pair
    pairs = [tuple(pair) for pair in table.itertuples(index=False)]
    assert pairs == [("clear", "haze", 1, 1 / 3), ("haze", "clear", 1, 1 / 4)]


def test_an_event_has_the_probabilities_of_its_labels_and_none_of_no_label() -> None:
    table = CONFUSION.events()
    assert table.index.tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 5]
    assert table.iloc[6].tolist() == ["clear", "haze", 0.2, 0.8]
    missed, extra = table.iloc[1], table.iloc[3]
    assert missed.tolist()[:3] == ["haze", "(none)", 0.1] and np.isnan(missed["p_predicted"])
    assert extra["actual"] == "(none)" and np.isnan(extra["p_actual"])


@pytest.mark.parametrize(
    ("pick", "expected"),
    [
        ("most_correct", [[0, 5], [1, 4], [2]]),
        ("most_wrong", [[3, 2, 1], [2, 0, 3], []]),  # missed first, then extra
        ("most_uncertain", [[1, 2, 3], [4, 5, 0], [2, 1, 0]]),
    ],
)
def test_pictures_of_each_label(pick: Pick, expected: list[list[int]]) -> None:
    assert [rows.tolist() for rows in CONFUSION.picked(pick, 3)] == expected
    assert [rows.tolist() for rows in CONFUSION.picked(pick, 1)] == [e[:1] for e in expected]


@pytest.mark.parametrize(
    ("picture", "label", "expected"),
    [
        (3, 0, ("missed: clear\nextra: haze\nclear 0.200 < 0.50", False)),
        (3, 2, ("missed: clear\nextra: haze\nroad 0.100 < 0.40", True)),
        (2, 2, ("missed: haze\nextra: clear\nroad 0.400 ≥ 0.40", True)),
        (5, 0, ("all labels right\nclear 0.800 ≥ 0.50", True)),
    ],
)
def test_a_caption_says_what_is_wrong_of_the_picture_and_judges_the_label(
    picture: int, label: int, expected: tuple[str, bool]
) -> None:
    assert (CONFUSION.caption(picture, label), CONFUSION.right(picture, label)) == expected


def test_the_page_says_the_same_in_full() -> None:
    wrong = [("missed", "clear"), ("extra", "haze")]
    assert CONFUSION.remarks(3, 2) == [*wrong, ("", "road 0.100 < 0.40")]
    assert CONFUSION.remarks(5, 0) == [("", "all labels right"), ("", "clear 0.800 ≥ 0.50")]


def test_a_caption_keeps_the_label_and_the_number_of_long_names() -> None:
    names = ("a" * 40, "b" * 40)
    wrong = LabelConfusion(names, np.zeros((1, 2)), np.ones((1, 2), bool), (0.5, 0.5))
    missed, probability = wrong.caption(0, 1).splitlines()
    assert missed.startswith("missed: bbb") and missed.endswith("…")
    assert probability.startswith("bbb") and probability.endswith("… 0.000 < 0.50")
    assert len(missed) == len(probability) == 30


def test_of_no_picture_nothing_is_said() -> None:
    nothing = LabelConfusion(LABELS, np.zeros((0, 3)), np.zeros((0, 3), bool), THRESHOLDS)
    assert nothing.events().empty and nothing.pairs().empty
    assert not nothing.matrix().any() and nothing.matrix().shape == (4, 4)
    assert [rows.tolist() for rows in nothing.picked("most_wrong", 3)] == [[], [], []]
    assert nothing.numbers() == {"n_pictures": 0, "n_errors": 0, "n_missed": 0, "n_extra": 0}


def test_each_label_needs_a_threshold() -> None:
    with pytest.raises(ValueError, match="3 labels need as many thresholds, found 0"):
        LabelConfusion(LABELS, P, TRUTH, ()).numbers()
