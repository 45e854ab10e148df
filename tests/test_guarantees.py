"""docs/guarantees.md promises only what a test holds, with the figures that the test found."""

import ast
import json
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MADE: Any = runpy.run_path(str(ROOT / "docs/make_guarantees.py"))
PAGE, FOUND = MADE["PAGE"].read_text(), json.loads(MADE["RESULTS"].read_text())
TESTS = [match["test"] for match in MADE["ROW"].finditer(PAGE)]


def test_the_page_has_rows() -> None:
    assert len(TESTS) > 20
    assert len(TESTS) == len(set(TESTS))


@pytest.mark.parametrize("test", TESTS)
def test_each_test_exists(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name.partition("[")[0] in names


def test_the_figures_are_those_that_were_found() -> None:
    assert MADE["filled"](PAGE, FOUND) == PAGE
    assert {test for test in FOUND if MADE["unparametrized"](test) not in TESTS} <= set(TESTS)


def test_figures_of_a_folder_reach_their_row(tmp_path: Path) -> None:
    page = f"| what | `{TESTS[0]}` | old |\n| other | `tests/a.py::test_b` |  |\n"
    cases = {"one": ("3 of 3", "2026-01-02"), "two": ("4 of 5", "2026-01-01")}
    cases["three"] = cases["one"]
    found = {
        f"tests/a.py::test_b[{case}]": {"figures": figures, "date": date}
        for case, (figures, date) in cases.items()
    }
    assert MADE["filled"](page, found) == (
        f"| what | `{TESTS[0]}` | holds or fails |\n"
        "| other | `tests/a.py::test_b` | 2 x 3 of 3; 4 of 5 (2026-01-02) |\n"
    )
