"""Networks whose activations cannot be checkpointed are refused before anything is computed."""

import pytest

from headstart.checks.network_blocks import without_blocks
from tests.checks.test_rules import found

ON = "optimizer_finetune.checkpoint_activations"


def said(name: str, on: bool) -> list[str]:
    changes = {"backbone.name": name, "backbone.size_px": 224, ON: on}
    return found(changes, (without_blocks,))


@pytest.mark.parametrize(
    ("name", "on"), [("pit_ti_224", False), ("tf_efficientnet_lite0", True), ("test_vit", True)]
)
def test_nothing_is_said_of_what_works(name: str, on: bool) -> None:
    assert said(name, on) == []


def test_layers_that_timm_does_not_state() -> None:
    [line] = said("pit_ti_224", True)
    assert line.startswith("backbone.name is 'pit_ti_224', whose layers timm does not state, so ")
    assert f"{ON} must be false" in line
