"""Fill the figures of docs/guarantees.md with what its tests found.

Run: HEADSTART_FIGURES=/tmp/figures python -m pytest -m "long or not long"
     python docs/make_guarantees.py /tmp/figures

A test keeps a phrase in the folder HEADSTART_FIGURES (the fixture `figures`). This script adds the
phrases of a folder to bench/results/guarantees.json, and writes them into the rows of the page that
name these tests.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/guarantees.md"
RESULTS = ROOT / "bench/results/guarantees.json"
ROW = re.compile(r"^\| (?P<promise>[^|]+) \| `(?P<test>tests/[^`]+)` \|(?P<figures>[^|]*)\|$", re.M)


def filled(page: str, found: Mapping[str, Mapping[str, str]]) -> str:
    """The page with the figures of each test that has kept some; other rows say that it passes.

    Args:
        page: Markdown, with rows of promise, test and figures.
        found: `figures` and `date` of each test; a row may name a test without its cases.
    """

    def row(match: re.Match[str]) -> str:
        named = match["test"]
        cases = [of for test, of in found.items() if named in (test, unparametrized(test))]
        times = Counter(case["figures"] for case in cases)
        figures = "; ".join(f"{n} x {of}" if n > 1 else of for of, n in times.items())
        said = f"{figures} ({max(case['date'] for case in cases)})" if cases else "holds or fails"
        return f"| {match['promise']} | `{match['test']}` | {said} |"

    return ROW.sub(row, page)


def unparametrized(test: str) -> str:
    """The test without the case in brackets."""
    return test.partition("[")[0]


def main(folder: Path) -> None:
    """Add the phrases of `folder`, and fill the page."""
    found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for file in sorted(folder.glob("*.json")):
        about = json.loads(file.read_text())
        measured = date.fromtimestamp(file.stat().st_mtime).isoformat()
        found[about["test"]] = {"figures": about["figures"], "date": measured}
    found = dict(sorted(found.items()))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
