"""The written parts as one, and the macros that show them."""

from typing import Any

import pandas as pd
import pytest

from headstart.evaluation.predictions import Predictions
from headstart.project.params import read_params
from headstart.reporting.facts import Facts, Told, facts
from headstart.reporting.html_page import _templates
from tests.reporting.test_facts_data import ABOUT, INDEX, NONE, pictures
from tests.reporting.test_facts_recipe import ROOT
from tests.reporting.test_facts_reproduce import record
from tests.reporting.test_facts_steps import said, scored

PARAMS = read_params(ROOT / "params.yaml")


def told(**changed: Any) -> Facts:
    tables: dict[str, Predictions] = {
        "head": said(20),
        "augmented": said(21),
        "finetuned": said(40),
    }
    values: dict[str, Any] = {
        "params": PARAMS,
        "params_text": "# recipes/a.yaml\nhead: <1>\n",
        "recipes": {"a.yaml": PARAMS},
        "index": INDEX,
        "weights": {"n_numbers": 1},
        "scores": scored(tables, ("valid", "test")),
        "fine_tuning": {},
        "about": ABOUT,
        "pictures": pictures((9, 9)),
        "problems": NONE,
        "predictions": list(tables.values()),
        "records": [record("a", 0, 1, commit="c" * 40, machine="M & Co", versions="Python 3")],
    }
    return facts(Told(**{**values, **changed}))


def shown(part: str, value: object) -> str:
    return str(getattr(_templates().get_template("facts.html").module, f"{part}_section")(value))


def test_all_parts_are_there_and_shown() -> None:
    found = told()
    assert found.steps is not None
    page = shown("steps", found.steps)
    assert page.count("<h3>") == 2
    assert page.count("within noise</small>") == sum(
        change.noise
        for split in found.steps.splits
        for step in split.steps
        for change in (
            step.tta_gain and step.tta_gain.score,
            step.plain_changes and step.plain_changes.score,
            step.tta_changes and step.tta_changes.score,
            step.tta_changes and step.tta_changes.log_loss,
        )
        if change
    )
    assert "+47.50" in page and "19 better, 0 worse" in page
    assert "so its scores are somewhat too good" in page
    assert "No value differs." in shown("recipe", found.recipe)
    assert "digest of these weights" in shown("network", found.network)


def test_nothing_scored_has_no_steps() -> None:
    assert told(scores={"checkpoints": {"head": {}, "finetuned": {}}}).steps is None


def test_names_of_classes_and_files_are_escaped() -> None:
    problems = pd.DataFrame([("<i>.jpg", "no_label", "<b>")], columns=NONE.columns)
    about = ABOUT | {"classes": ["<cat>", "eel"]}
    page = shown("data", told(problems=problems, about=about).data)
    assert "&lt;cat&gt;" in page and "&lt;i&gt;.jpg" in page and "&lt;b&gt;" in page
    assert "<cat>" not in page
    again = shown("reproduce", told().reproduce)
    assert "M &amp; Co" in again and "head: &lt;1&gt;" in again


@pytest.mark.parametrize(("n", "folded"), [(40, False), (41, True)])
def test_a_long_table_of_classes_is_folded(n: int, folded: bool) -> None:
    page = shown("data", told(about=ABOUT | {"classes": [f"c{i}" for i in range(n)]}).data)
    assert (f"Pictures of each of the {n} classes</summary>" in page) == folded
    assert f"<td>c{n - 1}</td>" in page


def test_files_set_aside_are_listed_and_none_is_said_to_be() -> None:
    assert "No file was set aside." in shown("data", told().data)
    problems = pd.DataFrame([("a.jpg", "no_label", "why")] * 2, columns=NONE.columns)
    page = shown("data", told(problems=problems).data)
    assert "2 files (no label), 1 file (zero bytes)." in page
    assert "problems.csv lists the others." in page  # the metrics count 3


def test_the_recipe_is_named_or_the_nearest() -> None:
    other = {**PARAMS, "write_submission": {**PARAMS["write_submission"], "form": "tags"}}
    nearest = shown("recipe", told(params_text="", recipes={"b.yaml": other}).recipe)
    assert "params.yaml names no recipe; the nearest one is <code>b.yaml</code>." in nearest
    assert "One value differs." in nearest
    assert "write_submission.<wbr>form</code></td><td>columns</td><td>tags</td>" in nearest
    assert "There are no recipes" in shown("recipe", told(recipes={}).recipe)


def test_what_was_not_recorded_has_no_row() -> None:
    page = shown("reproduce", told(records=[record("a", 0, 1)]).reproduce)
    assert "machine" not in page.split("<details>")[0]
    assert "<td>1 s</td>" in page
    assert "<td>Python 3</td>" in shown("reproduce", told().reproduce)
