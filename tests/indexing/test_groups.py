import pytest

from headstart.indexing.groups import (
    groups_by_column,
    groups_by_regex,
    join_groups,
    require_groups,
)
from headstart.indexing.table_file import read_table


@pytest.mark.parametrize(
    ("regex", "found"),
    [
        (r"^(patient\d+)/", {"patient1/a/1.png": {"patient1"}, "patient22/b/2.png": {"patient22"}}),
        (
            r"patient\d",
            {"patient1/a/1.png": {"patient1"}, "patient22/b/2.png": {"patient2"}},
        ),
        (r"/([a-z])/(\d)", {"patient1/a/1.png": {"a"}, "patient22/b/2.png": {"b"}}),
        (r"^(patient1)?", {"patient1/a/1.png": {"patient1"}}),
        (r"^x*", {}),
        ("nowhere", {}),
    ],
)
def test_the_first_parentheses_or_the_whole_match_is_the_group(
    regex: str, found: dict[str, set[str]]
) -> None:
    assert groups_by_regex(["patient1/a/1.png", "patient22/b/2.png", "c/3.png"], regex) == found


def test_a_column_of_groups() -> None:
    table = "name,label, patient\n1,a, p1 \n2,a,\n3,b,\n4,b,p2\n4,b,p1\n"
    found = groups_by_column(read_table(table.encode(), "labels.csv"), "name", "patient")
    assert found == {"1": {"p1"}, "4": {"p1", "p2"}}


@pytest.mark.parametrize("missing", ["nan", "NaN", "<NA>"])
def test_a_missing_cell_is_no_group(missing: str) -> None:
    table = f"name,patient\n1,p1\n2,{missing}\n3,{missing}\n"
    assert groups_by_column(read_table(table.encode(), "l.csv"), "name", "patient") == {"1": {"p1"}}


def test_a_column_that_is_missing_is_told_with_a_guess() -> None:
    table = read_table(b"id,patient\n1,p\n", "labels.csv")
    with pytest.raises(
        ValueError,
        match=r"group_column is 'pateint', but .* no such column \(it has id, patient\); "
        r"did you mean patient\?",
    ):
        groups_by_column(table, "id", "pateint")
    with pytest.raises(ValueError, match=r"\(it has id, patient\)\.$"):
        groups_by_column(table, "id", "zone")


def test_names_that_group_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"group_regex is '\^x', but .* none of the 2 pictures"):
        require_groups({"c.png": {"x"}}, ["b.png", "a.png"], "group_regex", "^x")
    require_groups({"a.png": {"x"}}, ["b.png", "a.png"], "group_regex", "^x")


def test_groups_that_hold_copies_of_one_picture_are_joined() -> None:
    labelled = {
        "i1": ["1", "1 again"],
        "i2": ["2"],
        "i3": ["3", "3 again"],
        "i4": ["4"],
        "i5": ["5"],
    }
    names = {
        **{"1": {"d"}, "1 again": {"b"}, "2": {"b"}, "3": {"c"}, "3 again": {"d"}},
        "4": {"a"},
    }
    of, notes = join_groups(labelled, {}, names)
    assert of == {"i1": "b", "i2": "b", "i3": "b", "i4": "a", "i5": "i5"}
    assert notes == (
        "1 of 5 labelled pictures are in no group: each is its own group.",
        "3 groups were joined into 1, because they hold copies of one picture.",
    )


def test_two_groups_of_one_row_are_joined_too() -> None:
    of, _ = join_groups({"i1": ["1"], "i2": ["2"]}, {}, {"1": {"p", "q"}, "2": {"q"}})
    assert of == {"i1": "p", "i2": "p"}


def test_pictures_without_labels_are_their_own_groups_and_counted() -> None:
    names = {"1": {"p"}, "2": {"p"}, "3": {"p"}, "4": {"q"}}
    of, [note] = join_groups({"i1": ["1"], "i2": ["2"]}, {"i3": ["3"], "i4": ["4"]}, names)
    assert of == {"i1": "p", "i2": "p", "i3": "i3", "i4": "i4"}
    assert note.startswith("1 pictures without labels belong to groups of labelled pictures")


def test_without_names_there_is_nothing_to_say() -> None:
    assert join_groups({"i1": ["1"]}, {"i2": ["2"]}, {}) == ({"i1": "i1", "i2": "i2"}, ())
