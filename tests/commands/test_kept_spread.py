"""The spread over seeds is told of a run that has the same params, and of no other."""

from typing import Any

import pytest

from headstart.commands.kept_spread import spread_note, spread_text
from headstart.commands.spread import Spread

PARAMS: dict[str, Any] = {
    "train_head": {"seed": 0, "lr": 0.01},
    "train_augmented": {"seed": 0, "phases": [{"lr": 0.1}]},
    "unfreeze_finetune": {"seed": 0},
}
ROWS = [
    Spread("tta_evaluate.valid.plain.accuracy", (0.9, 0.91, 0.92)),
    Spread("tta_evaluate.test.tta.f2", (0.8, None, 0.9)),
    Spread("tta_evaluate.test.plain.accuracy", (0.8, None, None)),
    Spread("tta_evaluate.test.plain.log_loss", (0.1, 0.2, 0.3)),
]
KEPT = spread_text(PARAMS, ROWS).encode()


def changed(section: str, **values: Any) -> dict[str, Any]:
    return PARAMS | {section: PARAMS[section] | values}


@pytest.mark.parametrize(
    "params", [PARAMS, changed("train_head", seed=5), changed("unfreeze_finetune", seed=9)]
)
def test_the_same_params_with_any_seed_are_told(params: dict[str, Any]) -> None:
    assert spread_note("HEAD", params, KEPT) == [
        "HEAD, mean over seeds (sd; seeds.json): valid accuracy 0.9100 (0.0100) of 3, "
        "test TTA F2 0.8500 (0.0707) of 2."
    ]


@pytest.mark.parametrize(
    ("params", "content"),
    [
        (changed("train_head", lr=0.02), KEPT),
        (changed("train_augmented", phases=[{"lr": 0.2}]), KEPT),
        (PARAMS | {"new": {"key": 1}}, KEPT),
        (PARAMS, None),
        (PARAMS, b"[]"),
        (PARAMS, b"{"),
        (PARAMS, KEPT.replace(b'"values"', b'"worth"')),
        (PARAMS, spread_text(PARAMS, ROWS[2:]).encode()),
    ],
)
def test_nothing_is_told_of_other_params_or_a_broken_file(
    params: dict[str, Any], content: bytes | None
) -> None:
    assert spread_note("HEAD", params, content) == []
