"""The table of the benchmark of workers, from made-up seconds."""

from bench.cluster import ALONE, efficiency, table, ways

ROWS = {
    ALONE: {"resized": 8.0, "plain": 8.0, "views": 8.0},
    "2 processes": {"resized": 4.0, "plain": 5.0, "views": 8.0},
    "1 of Ray": {"resized": 10.0, "plain": 10.0, "views": 10.0},
    "2 of Ray": {"resized": 5.0, "plain": 10.0, "views": 4.0},
}


def test_efficiency_is_against_one_worker_of_the_same_kind() -> None:
    assert [efficiency(ROWS, way, "plain") for way in ROWS] == [1.0, 0.8, 1.0, 0.5]
    assert efficiency(ROWS, "2 of Ray", "views") == 1.25


def test_the_table_has_a_row_for_each_way() -> None:
    lines = table({"cluster": ROWS, "n": 80}).splitlines()
    assert lines[3] == "| 2 processes | 20 | 1.00 | 16 | 0.80 | 10 | 0.50 |"
    assert len(lines) == 2 + len(ROWS)


def test_each_way_names_its_workers() -> None:
    found = ways((1, 2, 4))
    assert found[ALONE] == {"HEADSTART_WORKERS": "1"}
    assert found["4 processes"] == {"HEADSTART_PROCS": "4", "HEADSTART_WORKERS": "4"}
    assert "1 processes" not in found
