"""The rule that turns findings into params, as a table."""

from dataclasses import replace
from typing import Any

import pytest

from headstart.commands.choices import Findings, View, Wishes, choose


def found(n: int, *per_class: int, splits: tuple[str, ...] = (), short_px: int = 400) -> Findings:
    classes = {f"c{i}": count for i, count in enumerate(per_class)}
    return Findings(
        "/p", {"labels": "folders"}, "a folder a class", n, classes, frozenset(splits), short_px
    )


def chosen(findings: Findings, **wishes: Any) -> dict[str, Any]:
    choices = choose(findings, Wishes(**wishes))
    assert len({choice.key for choice in choices}) == len(choices)
    assert all(choice.reason for choice in choices)
    return {choice.key: choice.value for choice in choices}


MANY = found(1400, 700, 700)
PHASE = "unfreeze_finetune.phases.0"


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (MANY, {"split": "stratified", "valid_frac": 0.2, "test_frac": 0.1}),
        (found(50_000, 25_000, 25_000), {"valid_frac": 0.1, "test_frac": 0.1}),
        (found(300, 150, 150), {"split": "stratified", "n_folds": 5, "test_frac": 0.0}),
        (found(1400, 700, 700, splits=("train", "valid")), {"split": "given", "test_frac": 0.0}),
        (
            found(1400, 700, 700, splits=("train", "test")),
            {"split": "stratified", "test_frac": 0.0},
        ),
    ],
)
def test_the_split_follows_from_folders_and_numbers(
    findings: Findings, expected: dict[str, Any]
) -> None:
    values = chosen(findings)
    assert {key: values[f"index_images.{key}"] for key in expected} == expected
    assert values["index_images.on_problem"] == "set_aside"


@pytest.mark.parametrize(
    ("short_px", "network_px", "size", "stored"),
    [
        (400, 224, 224, 288),
        (200, 224, 224, 288),
        (150, 224, 160, 224),
        (28, 224, 96, 128),
        (500, 288, 288, 384),
    ],
)
def test_sizes_follow_from_the_pictures(
    short_px: int, network_px: int, size: int, stored: int
) -> None:
    values = chosen(found(1400, 700, 700, short_px=short_px), network_px=network_px)
    assert (values["backbone.size_px"], values["resize.size_px"]) == (size, stored)


@pytest.mark.parametrize(
    ("view", "symmetry", "hidden", "lr"),
    [
        ("photo", "side_on", 0, 1e-4),
        ("side_on", "side_on", 0, 1e-4),
        ("top_down", "top_down", 512, 3e-4),
        ("texture", "half_turn", 512, 3e-4),
        ("document", "none", 512, 3e-4),
    ],
)
def test_what_the_pictures_show_decides(view: View, symmetry: str, hidden: int, lr: float) -> None:
    values = chosen(MANY, view=view)
    assert values["augment.symmetry"] == symmetry
    assert (values["head.hidden_units"], values[f"{PHASE}.lr"]) == (hidden, lr)


@pytest.mark.parametrize(
    ("classes", "symmetry"),
    [
        (("turn left", "turn right", "stop"), "none"),
        (("Eye_L", "eye_R"), "none"),
        (("pfeil-links", "pfeil-rechts"), "none"),
        (("left", "ahead"), "side_on"),  # no class is its mirror image
        (("leftover", "rightover"), "side_on"),
        (("clockwise", "anticlockwise"), "none"),
    ],
)
def test_classes_that_a_mirror_would_swap_are_not_mirrored(
    classes: tuple[str, ...], symmetry: str
) -> None:
    findings = replace(MANY, per_class=dict.fromkeys(classes, 700))
    assert chosen(findings)["augment.symmetry"] == symmetry


def test_few_pictures_a_class() -> None:
    many, few = chosen(MANY), chosen(found(800, *[8] * 100))
    assert (many["precompute_views.n_views"], few["precompute_views.n_views"]) == (3, 10)
    assert (few["head.dropout"], few[f"{PHASE}.trainable"]) == ([0.5, 0.5], "late")
    assert few[f"{PHASE}.lr"] < many[f"{PHASE}.lr"]
    assert (many["train_head.lr"], few["train_head.lr"]) == ("auto", 0.006)
    assert chosen(found(800, *[8] * 100), view="texture")["head.hidden_units"] == 0


def test_views_are_as_many_as_epochs_on_them() -> None:
    for values in (chosen(MANY), chosen(found(80, 40, 40)), chosen(MANY, quick=True)):
        phase = "train_augmented.phases.0"
        n_epochs = values[f"{phase}.cycles"] * values.get(f"{phase}.cycle_len", 1)
        assert values["precompute_views.n_views"] == n_epochs


@pytest.mark.parametrize(
    ("n", "batch", "n_epochs"),
    [(200, 16, 15), (400, 32, 15), (800, 64, 15), (2000, 64, 8), (100_000, 64, 3)],
)
def test_epochs_follow_from_the_steps_of_one(n: int, batch: int, n_epochs: int) -> None:
    values = chosen(found(n, n // 2, n // 2))
    assert (values["optimizer_head.batch_size"], values["train_head.n_epochs"]) == (batch, n_epochs)
    assert values["train_head.lr"] == "auto"


def test_uneven_classes_are_balanced() -> None:
    assert "sampling.balance" not in chosen(found(1400, 1100, 300))
    assert chosen(found(1400, 1200, 200))["sampling.balance"] == "oversample"


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("view", ["photo", "texture"])
def test_fine_tuning_is_kept_only_if_it_helps(view: View, quick: bool) -> None:
    assert chosen(MANY, view=view, quick=quick)["unfreeze_finetune.monitor"] == "both"


def test_a_quick_try_is_small() -> None:
    values = chosen(found(100_000, 50_000, 50_000), quick=True)
    assert values["index_images.n_max_per_class"] == 120
    assert (values["backbone.size_px"], values["train_head.n_epochs"]) == (128, 2)


def test_another_network_is_downloaded() -> None:
    values = chosen(MANY, network="resnet50", network_px=224)
    assert values["backbone.name"] == "resnet50"
    assert values["backbone.weights"] == "sources/timm-pretrained.yaml"
