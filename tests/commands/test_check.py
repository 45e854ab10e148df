"""`headstart check`, as a person meets it: one edit of the default, and the sentence that follows."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from headstart.commands.cli import main

ROOT = Path(__file__).parents[2]
TUNED = "unfreeze_finetune.phases.0"


def checked(path: Path) -> tuple[int, str]:
    """Exit status and output of `headstart check`."""
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output.replace(f"{path}", "FILE")


def edited(folder: Path, changes: dict[str, Any]) -> Path:
    yaml, path = YAML(), folder / "mine.yaml"
    params = yaml.load(ROOT / "params.yaml")
    for key, value in changes.items():
        *keys, last = key.split(".")
        place = params
        for part in keys:
            place = place[int(part) if part.isdigit() else part]
        place[last] = value
    yaml.dump(params, path)
    return path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train_head.lr": -1e-3}, "FILE: train_head.lr is -0.001: it must be greater than 0"),
        ({"train_head.lr": 0}, "FILE: train_head.lr is 0: it must be greater than 0"),
        (
            {"train_head.lr": float("nan")},
            "FILE: train_head.lr is .nan: it must be a finite number",
        ),
        ({f"{TUNED}.lr": float("inf")}, f"FILE: {TUNED}.lr is .inf: it must be a finite number"),
        (
            {"optimizer_head.weight_decay": float("inf")},
            "optimizer_head.weight_decay is .inf: it must be",
        ),
        (
            {"optimizer_finetune.clip_norm": float("inf")},
            "optimizer_finetune.clip_norm is .inf: it must be",
        ),
        ({"find_lr_head.lr_end": float("inf")}, "find_lr_head.lr_end is .inf: it must be"),
        ({"sampling.max_factor": float("inf")}, "sampling.max_factor is .inf: it must be"),
        (
            {"find_lr_head.lr_end": 1e-9},
            "FILE: find_lr_head.lr_end is 1e-09, it must be above lr_start, 1e-05.\n",
        ),
        (
            {f"{TUNED}.lr_div": 3.0},
            f"FILE: {TUNED}.schedule is sgdr, which does not use lr_div; remove it.\n",
        ),
        (
            {"index_images.n_folds": 1},
            "FILE: index_images.n_folds is 1, it must be 0 or at least 2.\n",
        ),
        (
            {"backbone.cached_px": [300]},
            "FILE: backbone.cached_px is 300: it must be at most backbone.size_px (240)",
        ),
        (
            {"dataset.source": "/no/such/folder"},
            "FILE: dataset.source is '/no/such/folder', which is not a folder.",
        ),
        (
            {"dataset.source": "~/pictures"},
            "FILE: dataset.source is '~/pictures', whose ~ is not expanded: write",
        ),
        ({"index_images.labels": "lables.csv"}, "FILE: index_images.labels is 'lables.csv', but"),
        ({"write_submission.sample": "s.csv"}, "FILE: write_submission.sample is 's.csv', but"),
        (
            {"backbone.name": "resnet5000", "backbone.weights": "sources/random.yaml"},
            "FILE: backbone.name is 'resnet5000', which timm does not know. Did you mean",
        ),
        (
            {"backbone.name": "resnet34"},
            "holds weights of tf_efficientnet_lite0, but backbone.name is 'resnet34'.",
        ),
        (
            {"backbone.weights": "/no/such.safetensors"},
            "FILE: backbone.weights is '/no/such.safetensors', which is not a file.",
        ),
        (
            {"resize.size_px": 128},
            "FILE: resize.size_px is 128, but must be at least backbone.size_px (240)",
        ),
        (
            {"train_head": [1, 2]},
            "FILE: train_head is a list (1, 2): it must hold the keys lr, n_epochs, seed.\n",
        ),
    ],
)
def test_what_cannot_run_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], sentence: str
) -> None:
    monkeypatch.chdir(ROOT)
    code, output = checked(edited(tmp_path, changes))
    assert code == 1 and sentence in output
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            b"  n_iter: 100 ",
            b"\tn_iter: 100 ",
            "begins with a tab; YAML is indented",
        ),
        (
            b"  n_iter: 100 ",
            b"  n_iter: 1\n  n_iter: 100 ",
            "has the key n_iter a second time",
        ),
        (b"# Every", b"# \xc9very", "Error: FILE is not UTF-8 (byte 0xc9 in line 1)"),
    ],
)
def test_a_mistake_of_yaml_is_one_sentence(
    tmp_path: Path, old: bytes, new: bytes, sentence: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes().replace(old, new))
    code, output = checked(path)
    assert code == 1 and sentence in output
    assert len(output.splitlines()) == 1


def test_epochs_that_share_views_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    code, output = checked(edited(tmp_path, {"train_augmented.phases.0.cycles": 9}))
    assert code == 0
    warning, verdict = output.splitlines()
    assert warning.startswith("Warning: FILE: train_augmented.phases have 9 epochs")
    assert verdict == "FILE: all sections are right."
