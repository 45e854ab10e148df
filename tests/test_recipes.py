"""Each recipe is a complete params.yaml with the same keys as the project's."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headstart.backbone import torchvision_ops
from headstart.backbone.backbone import BackboneParams
from headstart.checks.whole_file import check_file
from headstart.project.params import read_params, read_section
from headstart.steps.find_lr_finetune import FindLrFinetuneParams
from headstart.steps.precompute_views import PrecomputeViewsParams
from headstart.steps.train_augmented import TrainAugmentedParams
from headstart.steps.unfreeze_finetune import UnfreezeFinetuneParams

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))

recipes = pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)


def keys(params: Mapping[str, Any]) -> set[str]:
    """The dotted keys of all sections; a list of mappings (phases) counts as each of its items."""
    found = set()
    for name, value in params.items():
        found.add(name)
        items = value if isinstance(value, list) else [value]
        parts = [keys(item) for item in items if isinstance(item, Mapping)]
        if any(part != parts[0] for part in parts):
            raise ValueError(f"the items of {name} have different keys: {parts}")
        found |= {f"{name}.{key}" for part in parts for key in part}
    return found


def test_keys_are_told_apart() -> None:
    assert keys({"a": {"b": 1, "phases": [{"lr": 1}, {"lr": 2}]}, "c": {"d": [0.5, 0.5]}}) == {
        *("a", "a.b", "a.phases", "a.phases.lr", "c", "c.d")
    }
    with pytest.raises(ValueError, match="phases have different keys"):
        keys({"a": {"phases": [{"lr": 1}, {"rate": 2}]}})


def test_there_are_recipes() -> None:
    assert {"dogscats-resnet34", "dogscats-resnext50", "dogbreeds", "planet-resnet34"} <= {
        path.stem for path in RECIPES
    }


# Its result was measured with 40 epochs over 10 views; 40 views would need 4 times the forward passes.
VIEWS_REPEAT = {"dogbreeds-lite0"}


@recipes
def test_nothing_is_wrong_but_the_folder_that_is_yours(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found, source = check_file(recipe), read_params(recipe)["dataset"]["source"]
    if source.startswith("/your/folder/"):
        problem = f"dataset.source is {source!r}, which is not a folder."
        assert found.errors == [f"{recipe}: {problem}"]
    else:
        assert found.errors == []
    assert ["n_views" in line for line in found.warnings] == [True] * (recipe.stem in VIEWS_REPEAT)


@recipes
def test_no_key_is_missing_or_unknown(recipe: Path) -> None:
    wanted, found = keys(read_params(ROOT / "params.yaml")), keys(read_params(recipe))
    assert wanted - found == set(), "missing"
    assert found - wanted == set(), "unknown"


@recipes
def test_its_header_says_how_to_run_it(recipe: Path) -> None:
    lines = recipe.read_text(encoding="utf-8").splitlines()
    header = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    commands = [line for line in header if "cp recipes/" in line]
    assert len(commands) == 1
    assert commands[0].startswith(f"#   cp recipes/{recipe.name} params.yaml")
    assert any("dvc repro" in line for line in header)


@recipes
def test_each_augmented_epoch_has_a_view_of_its_own(recipe: Path) -> None:
    views = read_section("precompute_views", PrecomputeViewsParams, recipe)
    augmented = read_section("train_augmented", TrainAugmentedParams, recipe)
    n_epochs: dict[object, int] = defaultdict(int)
    for phase in augmented.phases:
        n_epochs[phase.size_px] += phase.n_epochs()
    assert (max(n_epochs.values()) > views.n_views) == (recipe.stem in VIEWS_REPEAT)


@recipes
def test_each_size_that_is_trained_on_is_there(recipe: Path) -> None:
    backbone = read_section("backbone", BackboneParams, recipe)
    augmented = read_section("train_augmented", TrainAugmentedParams, recipe)
    finetune = read_section("unfreeze_finetune", UnfreezeFinetuneParams, recipe)
    assert {phase.size_px for phase in augmented.phases} <= set(backbone.cached_px)
    assert augmented.phases[0].size_px == backbone.cached_px[0]
    for phase in finetune.phases:
        assert phase.size_px == "full" or phase.size_px < backbone.size_px
    test = read_section("find_lr_finetune", FindLrFinetuneParams, recipe)
    assert test.size_px == finetune.phases[0].size_px


@recipes
def test_timm_has_the_weights_that_are_to_be_downloaded(recipe: Path) -> None:
    torchvision_ops.declare_missing()
    import timm

    backbone = read_params(recipe)["backbone"]
    assert timm.is_model(backbone["name"])
    if backbone["weights"] == "sources/timm-pretrained.yaml":
        config = timm.models.get_pretrained_cfg(backbone["name"])
        assert config is not None and config.has_weights
