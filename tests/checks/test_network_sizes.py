"""Sizes of phases that a network does not take; the networks are timm's own, built without weights."""

from typing import Any

import pytest

from headstart.backbone.timm_models import UnsuitableBackboneError, built, features_of
from headstart.checks.network_sizes import unfit_sizes
from tests.checks.test_rules import TUNED, found

PHASE, TEST = f"{TUNED}.size_px", "find_lr_finetune.size_px"


def said(name: str, size_px: int, changes: dict[str, Any]) -> list[str]:
    return found({"backbone.name": name, "backbone.size_px": size_px, **changes}, (unfit_sizes,))


@pytest.mark.parametrize(
    ("name", "full_px", "smaller"),
    [("test_resnet", 128, 64), ("test_vit", 128, 96), ("test_efficientnet", 160, 100)],
)
def test_sizes_that_fit(name: str, full_px: int, smaller: int) -> None:
    assert said(name, full_px, {PHASE: smaller, TEST: smaller}) == []
    assert said(name, full_px, {"backbone.cached_px": [smaller]}) == []


def test_a_network_for_one_size_refuses_that_of_a_phase() -> None:
    phase, test = said("test_maxvit", 64, {PHASE: 32, TEST: 32})[::-1]
    assert phase == (
        f"{PHASE} is 32, which backbone.name 'test_maxvit' does not take, built for 64 px "
        "(backbone.size_px, backbone.cached_px). Sizes that fit: 64 px."
    )
    assert test == phase.replace(PHASE, TEST)
    assert said("test_maxvit", 64, {PHASE: "full", TEST: "full"}) == []
    with pytest.raises(Exception, match="divisible"):  # what the phase would have met
        features_of(built("test_maxvit", [64]).model, 32)


def test_the_size_of_a_skipped_range_test_is_no_matter() -> None:
    [line] = said("test_maxvit", 64, {PHASE: 32, TEST: 32, "find_lr_finetune.n_iter": 0})
    assert line.startswith(PHASE)


def test_cached_sizes_are_refused_before_any_weights_come() -> None:
    [line] = said("test_maxvit", 64, {"backbone.cached_px": [32, "full"]})
    assert "backbone.cached_px stand for 64, 32 px: set cached_px to [full]." in line
    with pytest.raises(UnsuitableBackboneError, match="takes one size at a time"):
        built("test_maxvit", [64, 32])


def test_a_network_that_could_be_built_for_both_sizes() -> None:
    name = "swin_s3_tiny_224"
    [line] = said(name, 224, {PHASE: 128})
    assert line.endswith(
        "Sizes that fit: 224 px. Or name 128 in backbone.cached_px too: then it is built for both."
    )
    assert said(name, 224, {PHASE: 128, "backbone.cached_px": [128, "full"]}) == []


def test_one_size_alone_is_left_to_fetch_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def builds(*_: object) -> None:
        raise AssertionError("it takes seconds")

    monkeypatch.setattr("headstart.checks.network_sizes.built", builds)
    assert said("test_resnet", 240, {PHASE: 240}) == []
    assert said("test_resnet", 240, {}) == []
    with pytest.raises(AssertionError, match="seconds"):
        said("test_resnet", 240, {PHASE: 128})
