"""Which recipe is compared with, and what differs."""

from pathlib import Path
from typing import Any

import pytest

from headstart.project.params import read_params
from headstart.reporting.facts_recipe import NOT_SET, Differing, RecipeFacts, recipe_facts

ROOT = Path(__file__).parents[2]
RECIPES = {path.name: read_params(path) for path in sorted((ROOT / "recipes").glob("*.yaml"))}


def params(lr: float = 0.01, **others: Any) -> dict[str, Any]:
    return {"head": {"lr": lr, "dropout": [0.25, 0.5]}, "fine": {"phases": [{"lr": 1}], **others}}


def rows(here: dict[str, Any], recipe: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = recipe_facts(here, "", {"a.yaml": recipe}).rows
    return [(row.key, row.here, row.recipe) for row in found]


def test_only_what_differs_is_listed() -> None:
    assert rows(params(), params()) == []
    assert rows(params(0.02), params()) == [("head.lr", "0.02", "0.01")]


def test_equal_numbers_are_equal_however_they_are_written() -> None:
    assert rows(params(1), params(1.0)) == []
    assert rows(params(1e-5), params(0.00001)) == []
    assert rows(params(True), params(1)) == [("head.lr", "true", "1")]


def test_a_phase_more_is_not_set_in_the_recipe() -> None:
    here = params()
    here["fine"]["phases"] = [{"lr": 1}, {"lr": 2}]
    assert rows(here, params()) == [("fine.phases.1.lr", "2", NOT_SET)]
    assert rows(params(), here) == [("fine.phases.1.lr", NOT_SET, "2")]


def test_lists_of_numbers_and_empty_texts_are_shown_as_in_the_file() -> None:
    here = params(a="", b=None, c=[])
    here["head"]["dropout"] = [0.0, 0.5]
    assert rows(here, params(a="x", b=1, c=[1])) == [
        ("head.dropout", "[0, 0.5]", "[0.25, 0.5]"),
        ("fine.a", '""', "x"),
        ("fine.b", "null", "1"),
        ("fine.c", "[]", "[1]"),
    ]


def test_the_recipe_that_the_comment_on_top_names_is_taken_though_another_is_nearer() -> None:
    recipes = {"far.yaml": params(0.5), "near.yaml": params()}
    text = "# A try.\n#\n\n#   cp recipes/far.yaml params.yaml && dvc repro\n\nhead:\n"
    assert recipe_facts(params(), text, recipes) == RecipeFacts(
        "far.yaml", True, (Differing("head.lr", "0.01", "0.5"),)
    )


@pytest.mark.parametrize("text", ["", "# recipes/gone.yaml\n", "head:  # recipes/far.yaml\n"])
def test_without_a_named_recipe_the_nearest_one_is_taken(text: str) -> None:
    recipes = {"far.yaml": params(0.5), "near.yaml": params()}
    found = recipe_facts(params(), text, recipes)
    assert (found.recipe, found.named, found.rows) == ("near.yaml", False, ())


def test_without_recipes_nothing_is_compared() -> None:
    assert recipe_facts(params(), "", {}) == RecipeFacts("", False, ())


@pytest.mark.parametrize("name", RECIPES)
def test_a_copied_recipe_is_recognised_and_differs_in_nothing(name: str) -> None:
    text = (ROOT / "recipes" / name).read_text(encoding="utf-8")
    assert recipe_facts(RECIPES[name], text, RECIPES) == RecipeFacts(name, True, ())


def test_the_default_is_nearest_to_the_whole_recipe_of_textile() -> None:
    path = ROOT / "params.yaml"
    found = recipe_facts(read_params(path), path.read_text(encoding="utf-8"), RECIPES)
    assert (found.recipe, found.named) == ("textile-full.yaml", False)


def test_what_init_writes_is_compared_with_the_recipe_that_it_started_from() -> None:
    from headstart.commands.init import RECIPE
    from headstart.commands.params_text import with_choices

    header = [f"Written by `headstart init x`. All other values are those of {RECIPE}."]
    text = with_choices((ROOT / RECIPE).read_text(encoding="utf-8"), [], header)
    assert recipe_facts(RECIPES[RECIPE.name], text, RECIPES) == RecipeFacts(RECIPE.name, True, ())
