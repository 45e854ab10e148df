"""The patch changes values alone, and git takes it."""

import subprocess
from pathlib import Path

import pytest

from headstart.project.errors import HeadstartError
from headstart.project.params import read_params
from headstart.sweeping.patch import changed_text, unified
from headstart.sweeping.settings import Settings, with_settings

ROOT = Path(__file__).parents[2]
PARAMS = Path("params.yaml")
SETTINGS: Settings = {
    "head.hidden_units": 0,
    "head.dropout.0": 0.333,
    "head.dropout.1": 0.0,
    "optimizer_head.weight_decay": 1e-5,
    "sampling.balance": "oversample",
    "train_head.lr": 0.0346,
    "train_augmented.phases.0.lr": 0.00123,
    "train_augmented.phases.0.cycles": 6,
}
FILES = sorted([*(ROOT / "recipes").glob("*.yaml"), ROOT / "params.yaml"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_only_the_values_change(file: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8")
    changed = changed_text(text, SETTINGS, file)
    (tmp_path / "changed.yaml").write_text(changed, encoding="utf-8")
    assert read_params(tmp_path / "changed.yaml") == with_settings(read_params(file), SETTINGS)
    for old, new in zip(text.splitlines(), changed.splitlines(), strict=True):
        assert old.partition("#")[2] == new.partition("#")[2]


def test_comments_keep_their_column_where_there_is_room() -> None:
    text = "head:\n  hidden_units: 512              # of the layer\n  dropout: [0.25, 0.5]  # two\n"
    settings: Settings = {"head.hidden_units": 0, "head.dropout.0": 0.123456, "head.dropout.1": 0.1}
    assert changed_text(text, settings, PARAMS) == (
        "head:\n  hidden_units: 0                # of the layer\n  dropout: [0.123456, 0.1] # two\n"
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", ""], ids=["LF", "CRLF", "no last line end"])
def test_git_applies_the_patch(end: str, tmp_path: Path) -> None:
    text = (end or "\n").join(["a: {b: 1, c: x}  # one", "d:", "- 1e-3", "- 2  # last"]) + end
    changed = changed_text(text, {"a.b": 20, "a.c": "yes and no", "d.1": 0.5}, PARAMS)
    (tmp_path / "params.yaml").write_bytes(text.encode())
    (tmp_path / "sweep.patch").write_bytes(unified(text, changed, PARAMS).encode())
    command = ["git", "apply", "--whitespace=nowarn", "sweep.patch"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "params.yaml").read_bytes() == changed.encode()


def test_nothing_differs_without_settings() -> None:
    assert unified("a: 1\n", changed_text("a: 1\n", {}, PARAMS), PARAMS) == ""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a: &x 1\nb: *x\n", "b"),
        ("a: &x 1\nb: *x\n", "a"),
        ("a: 1\nb: |\n  text\n", "b"),
        ("b: !!int\n  1\n", "b"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "c.b"),
    ],
)
def test_a_form_that_cannot_be_replaced_is_told(text: str, key: str) -> None:
    sentence = rf"params\.yaml writes one of {key} in a form .* Set by hand: {key}=2"
    with pytest.raises(HeadstartError, match=sentence):
        changed_text(text, {key: 2}, PARAMS)
