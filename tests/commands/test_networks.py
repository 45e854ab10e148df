"""Predicting with a checkpoint alone, and the check of its gradients."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import PIL
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from headstart.backbone.backbone import Backbone
from headstart.backbone.frame import Frame
from headstart.commands.cli import main
from headstart.commands.picture_files import StoredFiles
from headstart.evaluation.final_model import write_final_model
from headstart.evaluation.predictions import Kind
from headstart.network.checkpoints import (
    Checkpoint,
    CheckpointInfo,
    named_tensors,
    read_checkpoint,
    write_checkpoint,
)
from headstart.pictures.preprocessing import Preprocessing
from tests.small_networks import PREPROCESSING, picture, small_network


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
        preprocessing=PREPROCESSING,
        precision="float32",
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
    about = several.info.model_dump(mode="json")
    write_final_model(
        tmp_path / "many.safetensors", tmp_path / "bare.safetensors", about, thresholds
    )
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


def test_files_that_cannot_be_read_are_named_and_the_others_predicted(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = headstart("predict", "net.safetensors", *files).stdout.splitlines()
    Path("notes.txt").write_text("no picture")
    Path("empty.png").write_bytes(b"")
    Path("photo").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    monkeypatch.setattr("headstart.pictures.plugins.plugin_versions", dict)
    Path("folder.jpg").mkdir()
    picture(9).save("cut.jpg")
    Path("cut.jpg").write_bytes(Path("cut.jpg").read_bytes()[:-200])
    picture(9).save("locked.png")
    read_bytes = Path.read_bytes

    def no_permission(path: Path) -> bytes:  # which root, who may run the tests, has
        if path.name == "locked.png":
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", no_permission)
    bad = ["notes.txt", "empty.png", "photo", "folder.jpg", "cut.jpg", "missing.png", "locked.png"]
    result = headstart("predict", "net.safetensors", *bad[:4], *files[:2], *bad[4:], *files[2:])
    assert result.exit_code == 1
    assert result.stdout.splitlines() == whole
    *sentences, count = result.stderr.splitlines()
    assert count == "7 of 11 files were left out."
    for sentence, (file, why) in zip(
        sentences,
        {
            "notes.txt": "its bytes are no picture that Pillow knows",
            "empty.png": "the file is empty",
            "photo": "it is HEIC: pip install pillow-heif",
            "folder.jpg": "Is a directory",
            "cut.jpg": "image file is truncated",
            "missing.png": "No such file or directory",
            "locked.png": "Permission denied",
        }.items(),
        strict=True,
    ):
        assert sentence.startswith(f"{file} cannot be read: {why}") and sentence.endswith(".")
    alone = headstart("predict", "net.safetensors", *bad)
    assert alone.exit_code == 1 and alone.stdout.splitlines() == whole[:1]


def test_more_files_than_a_batch_keep_their_order(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is named twice has two rows; each batch is small enough to be held."""
    once = headstart("predict", "net.safetensors", *files).stdout.splitlines()
    batches: list[int] = []

    def counted(files: Mapping[str, bytes], preprocessing: Preprocessing) -> StoredFiles:
        batches.append(len(files))
        return StoredFiles(files, preprocessing)

    monkeypatch.setattr("headstart.commands.picture_files.StoredFiles", counted)
    monkeypatch.setattr("headstart.backbone.device.FORWARD_BATCH", 3)
    several = headstart("predict", "net.safetensors", *files, files[3], *files)
    assert several.exit_code == 0 and several.stderr == ""
    header, *rows = once
    assert several.stdout.splitlines() == [header, *rows, rows[3], *rows]
    assert batches == [3, 2, 3]  # of 4 files named 9 times, those that a batch holds


def rewritten(info: Mapping[str, object]) -> None:
    """Checkpoint other.safetensors: that of net with these values."""
    content = read_checkpoint(Path("net.safetensors"))
    write_checkpoint(
        Path("other.safetensors"),
        Checkpoint(info=content.info.model_copy(update=info), tensors=content.tensors),
    )


def test_another_pillow_is_told_in_a_line(files: list[str]) -> None:
    older = PREPROCESSING.model_copy(update={"pillow": "9.1"})
    rewritten({"preprocessing": older})
    result = headstart("predict", "other.safetensors", *files)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 5
    assert result.stderr.splitlines() == [
        "other.safetensors was scored on pictures made with Pillow 9.1, but Pillow "
        f"{PIL.__version__} is installed: probabilities may differ a little."
    ]


@pytest.mark.parametrize("has_units", [True, False])
def test_the_precision_is_that_of_the_scores_where_the_machine_has_it(
    files: list[str], monkeypatch: pytest.MonkeyPatch, has_units: bool
) -> None:
    monkeypatch.setattr("headstart.backbone.device._multiplies_bf16", lambda _: has_units)
    seen: list[str] = []
    forward = Backbone.forward

    def noted(backbone: Backbone, pictures: torch.Tensor) -> torch.Tensor:
        seen.append(backbone.compute.inference_precision)
        return forward(backbone, pictures)

    monkeypatch.setattr(Backbone, "forward", noted)
    assert headstart("predict", "net.safetensors", *files).stderr == ""
    rewritten({"precision": "bfloat16"})
    result = headstart("predict", "other.safetensors", *files)
    assert result.exit_code == 0
    assert seen == ["float32", "bfloat16" if has_units else "float32"]
    assert result.stderr == (
        ""
        if has_units
        else "other.safetensors was scored in bfloat16, but this device (cpu) has no hardware for it "
        "and predicts in float32: probabilities may differ a little.\n"
    )


def test_check_gradients_refuses_files_that_cannot_be_read(files: list[str]) -> None:
    Path("notes.txt").write_text("no picture")
    result = headstart("check-gradients", "net.safetensors", *files, "notes.txt")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: notes.txt cannot be read: its bytes are no picture that Pillow knows.\n"
    )
