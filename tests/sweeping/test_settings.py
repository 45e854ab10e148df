from typing import Any

import pytest
from ruamel.yaml import YAML

from headstart.project.errors import HeadstartError
from headstart.sweeping.settings import value_at, with_settings, yaml_scalar

VALUES: dict[str, Any] = {
    "head": {"dropout": [0.25, 0.5]},
    "train_augmented": {"phases": [{"lr": 0.01}]},
}


def test_keys_go_into_lists() -> None:
    assert value_at(VALUES, "head.dropout.1") == 0.5
    assert value_at(VALUES, "train_augmented.phases.0.lr") == 0.01


def test_settings_change_a_copy() -> None:
    changed = with_settings(VALUES, {"head.dropout.0": 0.1, "train_augmented.phases.0.lr": 1.0})
    assert changed == {
        "head": {"dropout": [0.1, 0.5]},
        "train_augmented": {"phases": [{"lr": 1.0}]},
    }
    assert VALUES["head"]["dropout"] == [0.25, 0.5]


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            "heads.dropout",
            r"heads\.dropout does not exist: params\.yaml has head, train_augmented\.",
        ),
        ("head.dropout.2", r"head\.dropout\.2 does not exist: head\.dropout has 0, 1\."),
        ("head.dropout.0.x", r"head\.dropout\.0\.x does not exist: head\.dropout\.0 is 0\.25\."),
    ],
)
def test_a_key_that_does_not_exist_is_named(key: str, sentence: str) -> None:
    for refuse in (value_at, lambda values, key: with_settings(values, {key: 1})):
        with pytest.raises(HeadstartError, match=sentence):
            refuse(VALUES, key)


@pytest.mark.parametrize("value", [1e-5, 2.5e-7, 0.001, 1e22, 3, True, "none", 0.0])
def test_yaml_reads_a_value_as_it_was(value: object) -> None:
    for version in ((1, 1), (1, 2)):  # DVC and others may read either
        yaml = YAML(typ="safe", pure=True)
        yaml.version = version
        read = yaml.load(f"value: {yaml_scalar(value)}")["value"]  # type: ignore[arg-type]
        assert read == value and type(read) is type(value)
