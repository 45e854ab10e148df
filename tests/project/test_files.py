"""Reports come back as they were, in the same bytes each time, or not at all."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from headstart.project import files as reports


def a_figure() -> Figure:
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot([0, 1])
    return figure


def test_json_keeps_its_order_and_every_digit(tmp_path: Path) -> None:
    values = {"b": {"y": 0.1 + 0.2, "x": 1}, "a": "größer"}
    path = tmp_path / "new" / "values.json"
    reports.write_json(path, values)
    assert reports.read_json(path) == values
    assert list(reports.read_json(path)) == ["b", "a"]
    assert path.read_bytes().endswith(b"\n")
    assert "größer" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_refuses_what_is_no_number_and_leaves_the_old_file(
    tmp_path: Path, number: float
) -> None:
    path = tmp_path / "values.json"
    reports.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match=r"a\.b is (nan|inf|-inf); leave out"):
        reports.write_json(path, {"a": {"b": number}})
    assert reports.read_json(path) == {"a": 1}
    with pytest.raises(ValueError):
        reports.write_json(path, {"a": [number]})
    assert [p.name for p in tmp_path.iterdir()] == ["values.json"]


def test_json_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text(json.dumps([1]), encoding="utf-8")
    with pytest.raises(ValueError, match="must hold a mapping"):
        reports.read_json(path)


def test_csv_has_no_index_and_comes_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["a,b", 'c"d'], "value": [0.1 + 0.2, None]})
    path = tmp_path / "table.csv"
    reports.write_csv(path, table)
    pd.testing.assert_frame_equal(pd.read_csv(path), table)
    assert path.read_bytes() == b'name,value\n"a,b",0.30000000000000004\n"c""d",\n'


def test_a_figure_is_the_same_bytes_each_time_and_says_no_version(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        reports.write_figure(tmp_path / name, a_figure())
    content = (tmp_path / "one.png").read_bytes()
    assert content == (tmp_path / "two.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"Software" not in content and b"atplotlib" not in content


def test_a_report_is_written_in_its_form(tmp_path: Path) -> None:
    reports.write_report(tmp_path / "page.html", "<p>ß\n")
    reports.write_report(tmp_path / "table.csv", pd.DataFrame({"a": [1]}))
    reports.write_report(tmp_path / "figure.png", a_figure())
    assert (tmp_path / "page.html").read_bytes() == "<p>ß\n".encode()
    assert (tmp_path / "table.csv").read_bytes() == b"a\n1\n"
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 3  # nothing partial is left


def test_flatten_joins_keys_with_dots() -> None:
    assert reports.flatten({"a": {"b": {"c": 1}, "d": 2}, "e": 3}) == {"a.b.c": 1, "a.d": 2, "e": 3}


def test_writing_metrics_loads_neither_pandas_nor_matplotlib() -> None:
    code = (
        "import sys, headstart.project.files as r; "
        "print([m for m in ('pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
