"""What no section knows alone: each rule has a file that breaks it, and the default breaks none."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from headstart.checks.cautions import WARNINGS
from headstart.checks.rules import ERRORS, broken
from headstart.checks.sections import read_sections
from headstart.project.params import PARAMS_FILE, read_params

ROOT = Path(__file__).parents[2]
RIGHT = read_params(ROOT / "params.yaml")
CLR = {"schedule": "clr", "warmup_frac": None, "lr_div": 20.0, "rise_frac": 0.1}
AUGMENTED, TUNED = "train_augmented.phases.0", "unfreeze_finetune.phases.0"


def found(changes: dict[str, Any], rules: Any = ERRORS) -> list[str]:
    """What `rules` say of params.yaml with these dotted keys changed."""
    values = deepcopy(RIGHT)
    for key, value in changes.items():
        *path, last = key.split(".")
        place: Any = values
        for part in path:
            place = place[int(part) if part.isdigit() else part]
        place[last] = value
    sections, problems = read_sections(values, PARAMS_FILE)
    assert problems == []
    return list(broken(rules, sections))


def with_clr(phase: str, momentum_low: float) -> dict[str, Any]:
    return {f"{phase}.{k}": v for k, v in (CLR | {"momentum_low": momentum_low}).items()}


def test_the_default_breaks_no_rule() -> None:
    assert found({}) == [] and found({}, WARNINGS) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {f"{TUNED}.size_px": 512},
            f"{TUNED}.size_px is 512: it must be at most backbone.size_px",
        ),
        (
            {f"{AUGMENTED}.size_px": 128},
            f"{AUGMENTED}.size_px is 128, but activations of this size are not cached: "
            "backbone.cached_px stands for 240 px",
        ),
        ({"find_lr_finetune.size_px": 256}, "find_lr_finetune.size_px is 256: it must be at most"),
        (
            {
                "index_images.task": "multi_label",
                "index_images.labels": "labels.csv",
                "tta_evaluate.costs": {"a": {"b": 2}},
            },
            "tta_evaluate.costs is set, but index_images.task is multi_label",
        ),
        (
            {"resize.size_px": 239},
            "resize.size_px is 239, but must be at least backbone.size_px (240)",
        ),
        (
            {"augment.shift_px": 240},
            "augment.shift_px is 240, but must be below backbone.size_px (240)",
        ),
        (with_clr(AUGMENTED, 0.95), f"{AUGMENTED}.momentum_low is 0.95, above the optimiser's"),
        (
            with_clr(TUNED, 0.95),
            f"{TUNED}.momentum_low is 0.95, above the optimiser's momentum (0.9).",
        ),
        (
            {f"{TUNED}.trainable": "late", "optimizer_finetune.n_groups": 2},
            f"{TUNED}.trainable is late, but optimizer_finetune.n_groups is 2",
        ),
        (
            {"predict_views.snapshots": True},
            "predict_views.snapshots is true, but unfreeze_finetune.",
        ),
        (
            {"train_head.lr": "auto", "find_lr_head.n_iter": 0},
            "train_head.lr is auto, but the range test has no suggestion: the range test was skipped",
        ),
        (
            {"train_head.lr": "auto", "find_lr_head.n_iter": 11},
            "train_head.lr is auto, but the range test has no suggestion: the curve has 9 usable",
        ),
        (
            {f"{TUNED}.lr": "auto", "find_lr_finetune.n_iter": 0},
            f"{TUNED}.lr is auto, but the range test has no",
        ),
        (
            {f"{TUNED}.lr": "auto", "find_lr_finetune.size_px": 128},
            f"find_lr_finetune.size_px is 128, but must be equal to {TUNED}.size_px (full), because",
        ),
    ],
)
def test_what_cannot_run_is_an_error(changes: dict[str, Any], sentence: str) -> None:
    [line] = found(changes)
    assert line.startswith(sentence)


@pytest.mark.parametrize(
    "changes",
    [
        {f"{TUNED}.size_px": 240, "resize.size_px": 240, "augment.shift_px": 239},
        with_clr(AUGMENTED, 0.9) | with_clr(TUNED, 0.9),
        {f"{TUNED}.trainable": "late", "optimizer_finetune.n_groups": 3},
        {"predict_views.snapshots": True, "unfreeze_finetune.n_snapshots": 1},
        {"train_head.lr": "auto", "find_lr_head.n_iter": 12},
        {f"{TUNED}.lr": "auto", "find_lr_finetune.n_iter": 12, "find_lr_finetune.size_px": 240},
        {"find_lr_finetune.n_iter": 0},
    ],
)
def test_what_just_runs_is_none(changes: dict[str, Any]) -> None:
    assert found(changes) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {f"{AUGMENTED}.cycles": 9},
            "train_augmented.phases have 9 epochs at 240 px, but precompute_views.n_views is 3: views "
            "repeat.",
        ),
        (
            {"find_lr_finetune.size_px": 128},
            "find_lr_finetune.size_px is 128, but unfreeze_finetune",
        ),
        (
            {"confusion_report.split": "test", "index_images.test_frac": 0.0},
            "confusion_report.split is test, but index_images.test_frac is 0",
        ),
        (
            {"index_images.valid_frac": 0.0},
            "confusion_report.split is valid, but index_images.valid_frac and index_images.n_folds",
        ),
    ],
)
def test_what_runs_and_may_not_be_meant_is_a_warning(
    changes: dict[str, Any], sentence: str
) -> None:
    assert found(changes) == []
    [line] = found(changes, WARNINGS)
    assert line.startswith(sentence)


def test_epochs_of_each_size_have_views_of_their_own() -> None:
    phase = RIGHT["train_augmented"]["phases"][0] | {"cycles": 1}
    changes = {
        "backbone.cached_px": [128, "full"],
        "train_augmented.phases": [phase | {"size_px": 128}, phase, phase | {"size_px": 128}],
    }
    assert found(changes | {"precompute_views.n_views": 2}, WARNINGS) == []
    [line] = found(changes | {"precompute_views.n_views": 1}, WARNINGS)
    assert "2 epochs at 128 px" in line


def test_a_rule_waits_until_its_sections_are_right() -> None:
    values = deepcopy(RIGHT)
    values["resize"]["size_px"], values["backbone"]["size_px"] = 32, "big"
    sections, problems = read_sections(values, PARAMS_FILE)
    assert [line.split(" is ")[0] for line in problems] == ["params.yaml: backbone.size_px"]
    assert list(broken(ERRORS, sections)) == []
