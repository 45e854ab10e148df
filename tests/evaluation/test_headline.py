"""The numbers by which states are compared."""

from typing import Any

import pytest

from headstart.evaluation.headline import headline


def scores(name: str, of: float) -> dict[str, Any]:
    plain = {"n_pictures": 9, name: of, f"{name}_ci_low": 0.0, "log_loss": of / 2, "macro_f1": 0.1}
    return {"plain": plain, "tta": plain | {name: of + 0.1, "log_loss": 9.0}}


@pytest.mark.parametrize("name", ["accuracy", "f2"])
def test_score_of_both_views_and_loss_of_each_split(name: str) -> None:
    metrics = {"valid": scores(name, 0.5), "test": scores(name, 0.75), "checkpoints": {}}
    expected = {"valid": 0.5, "valid_tta": 0.6, "test": 0.75, "test_tta": 0.85}
    assert headline(metrics) == expected | {"valid_loss": 0.25, "test_loss": 0.375}


def test_costs_are_told_where_there_are_any() -> None:
    metrics = {"valid": scores("accuracy", 0.5)}
    metrics["valid"]["plain"] |= {"cost": 0.7, "cost_decided": 0.4}
    found = headline(metrics)
    assert found["valid_cost"] == 0.4 and list(found)[-1] == "valid_cost"


def test_a_split_without_labels_has_no_number() -> None:
    of_valid = {"valid": 0.5, "valid_tta": 0.6, "valid_loss": 0.25}
    assert headline({"valid": scores("f2", 0.5)}) == of_valid
    assert headline({"checkpoints": {}}) == {}
