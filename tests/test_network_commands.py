"""Predicting with a checkpoint alone, and the check of its gradients."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from headstart.cli import main
from headstart.core.frame import Frame
from headstart.store.checkpoints import Checkpoint, CheckpointInfo, named_tensors, write_checkpoint
from headstart.store.predictions import Kind
from tests.learn.conftest import picture, small_network


@pytest.fixture
def files(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    shutil.copy(repo_root / "params.yaml", tmp_path)
    network = small_network()
    tensors = named_tensors("head", network.head.state_dict())
    heads = dict(tensors)
    tensors |= named_tensors("backbone", network.backbone.model.state_dict())
    info = CheckpointInfo(
        kind="network",
        architecture="test_resnet",
        weights=network.backbone.digest,
        mean=network.backbone.normalisation.mean,
        std=network.backbone.normalisation.sd,
        size_px=32,
        full_px=32,
        frame=Frame("center", 1.0),
        classes=("cat", "dog", "eel"),
        task="single_label",
        hidden_units=16,
        dropout=(0.0, 0.0),
        params={},
    )
    write_checkpoint(tmp_path / "net.safetensors", Checkpoint(info=info, tensors=tensors))
    double = {
        f"{number}.{name}": tensor.clone() for number in (0, 1) for name, tensor in tensors.items()
    }
    double |= {"1.head.6.bias": tensors["head.6.bias"] + torch.tensor([9.0, 0.0, 0.0])}
    ensemble = info.model_copy(update={"kind": "ensemble"})
    write_checkpoint(tmp_path / "two.safetensors", Checkpoint(info=ensemble, tensors=double))
    several = Checkpoint(info=info.model_copy(update={"task": "multi_label"}), tensors=tensors)
    write_checkpoint(tmp_path / "bare.safetensors", several)
    thresholds: Mapping[Kind, tuple[float, ...]] = {"plain": (0.0, 1.0, 0.5), "tta": (1.0,) * 3}
    write_checkpoint(tmp_path / "many.safetensors", several.with_thresholds(thresholds))
    squashed = info.model_copy(update={"frame": Frame("squash", 1.0)})
    write_checkpoint(tmp_path / "squashed.safetensors", Checkpoint(info=squashed, tensors=tensors))
    alone = info.model_copy(update={"kind": "head"})
    write_checkpoint(tmp_path / "head.safetensors", Checkpoint(info=alone, tensors=heads))
    for number in range(4):
        picture(number).save(tmp_path / f"{number}.png")
    return [f"{number}.png" for number in range(4)]


def headstart(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_predict_prints_a_row_a_picture(files: list[str]) -> None:
    result = headstart("predict", "net.safetensors", *files)
    assert result.exit_code == 0, result.output
    header, *rows = result.output.splitlines()
    assert header == "picture,class,cat,dog,eel"
    assert [row.split(",")[0] for row in rows] == files
    for row in rows:
        _, name, *probabilities = row.split(",")
        values = [float(p) for p in probabilities]
        assert sum(values) == pytest.approx(1, abs=2e-4)
        assert name == ("cat", "dog", "eel")[values.index(max(values))]


def test_predict_shows_the_network_what_training_showed_it(files: list[str]) -> None:
    small = picture(0).resize((32, 32), Image.Resampling.BILINEAR)
    small.save("small.png")
    whole, cut, by_hand = (
        headstart("predict", f"{name}.safetensors", file).output.splitlines()[1].split(",")[2:]
        for name, file in (("squashed", "0.png"), ("net", "0.png"), ("net", "small.png"))
    )
    assert whole == by_hand != cut


def test_an_ensemble_predicts_the_mean(files: list[str]) -> None:
    """Its second member is all but sure of a cat."""
    alone = headstart("predict", "net.safetensors", *files).output.splitlines()[1:]
    both = headstart("predict", "two.safetensors", *files).output.splitlines()[1:]
    for one, two in zip(alone, both, strict=True):
        _, _, cat, dog, _ = one.split(",")
        _, _, cat_of_two, dog_of_two, _ = two.split(",")
        assert float(cat_of_two) > 0.45 + float(cat) / 2
        assert float(dog_of_two) < 0.1 + float(dog) / 2


def test_predict_tells_every_label_that_reaches_its_threshold(files: list[str]) -> None:
    header, *rows = headstart("predict", "many.safetensors", *files).output.splitlines()
    assert header == "picture,labels,cat,dog,eel" and len(rows) == len(files)
    for row in rows:
        _, labels, *probabilities = row.split(",")
        assert labels == ("cat eel" if float(probabilities[2]) >= 0.5 else "cat")
    assert "holds no thresholds" in headstart("predict", "bare.safetensors", *files).output


def test_a_head_alone_and_a_foreign_file_are_refused(files: list[str]) -> None:
    assert (
        "holds a head without its backbone"
        in headstart("predict", "head.safetensors", *files).output
    )
    assert "no readable checkpoint" in headstart("predict", "0.png", *files).output


def test_check_gradients_of_many_labels(files: list[str]) -> None:
    result = headstart("check-gradients", "many.safetensors", *files)
    assert result.exit_code == 0 and "fp32: cosine 1.0000, may train" in result.output


def test_check_gradients_tells_a_cosine_a_precision(files: list[str]) -> None:
    result = headstart("check-gradients", "net.safetensors", *files)
    assert result.exit_code == 0, result.output
    auto, fp32, bf16 = result.output.splitlines()
    assert auto.startswith(("auto: cosine 1.0000, may train", "auto: cosine 0.999"))
    assert fp32.startswith("fp32: cosine 1.0000, may train") and bf16.startswith("bf16: cosine 0.9")
