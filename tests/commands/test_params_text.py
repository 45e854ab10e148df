from pathlib import Path

import pytest
from ruamel.yaml import YAML

from headstart.commands.choices import Choice
from headstart.commands.params_text import is_sealed, with_choices

RECIPE = Path(__file__).parents[2] / "recipes/dogscats-lite0.yaml"
CHOICES = [
    Choice("dataset.source", "/my pictures/é", "where they lie"),
    Choice("head.dropout", [0.5, 0.5], "few"),
    Choice("index_images.label_column", "*", "a column a class"),
    Choice("unfreeze_finetune.phases.0.lr", 5e-5, "low"),
]


def test_values_change_with_their_reasons_and_all_else_stays() -> None:
    recipe = RECIPE.read_text()
    text = with_choices(recipe, CHOICES, ["Written by a test."])
    before, after = YAML(typ="safe").load(recipe), YAML(typ="safe").load(text)
    assert after["dataset"]["source"] == "/my pictures/é"
    assert after["unfreeze_finetune"]["phases"][0]["lr"] == 5e-5
    assert (after["head"]["dropout"], after["index_images"]["label_column"]) == ([0.5, 0.5], "*")
    for name in ("augment", "resize", "predict_views", "tta_evaluate"):
        assert before[name] == after[name]
    old, new = recipe.splitlines(), text.splitlines()
    changed = [line for line in new if line not in old]
    assert changed[0] == "# Written by a test." and len(changed) == len(CHOICES) + 2
    assert "  dropout: [0.5, 0.5]            # few" in changed
    assert "Measured on" not in text  # another set's results


def test_the_seal_tells_whether_somebody_has_edited_it() -> None:
    text = with_choices(RECIPE.read_text(), CHOICES, ["Written by a test."])
    assert is_sealed(text)
    assert not is_sealed(text.replace("n_views: 4", "n_views: 5"))
    assert not is_sealed(RECIPE.read_text())


def test_a_key_that_the_recipe_lacks_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        with_choices(RECIPE.read_text(), [Choice("head.depth", 3, "deep")], [])
