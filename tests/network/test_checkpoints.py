import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from headstart.backbone.frame import Frame
from headstart.backbone.tensors import NamedTensors, write_tensors
from headstart.network.checkpoints import (
    Checkpoint,
    CheckpointError,
    CheckpointInfo,
    named_tensors,
    read_checkpoint,
    write_checkpoint,
)
from headstart.project.seals import DamagedError
from tests.small_networks import PREPROCESSING

INFO = CheckpointInfo(
    kind="head",
    architecture="net",
    weights="w",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    size_px=32,
    full_px=32,
    frame=Frame("center", 1.0),
    preprocessing=PREPROCESSING,
    precision="float32",
    classes=("a", "ü"),
    task="single_label",
    hidden_units=4,
    dropout=(0.1, 0.2),
    params={"train_head": {"lr": 0.1}},
    history=("train-head",),
)
TENSORS = named_tensors("head", {"w": torch.randn(2, 3), "b": torch.zeros(3)})


def test_a_checkpoint_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "4_checkpoints/head.safetensors"
    write_checkpoint(path, Checkpoint(info=INFO, tensors=TENSORS))
    read = read_checkpoint(path)
    assert read.info == INFO
    assert torch.equal(read.part("head")["w"], TENSORS["head.w"]) and not read.part("backbone")
    assert [file.name for file in path.parent.iterdir()] == ["head.safetensors"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, tensors in (("one", TENSORS), ("two", dict(reversed(TENSORS.items())))):
        write_checkpoint(tmp_path / name, Checkpoint(info=INFO, tensors=tensors))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.safetensors is no readable checkpoint"):
        read_checkpoint(tmp_path / "nothing.safetensors")
    foreign = tmp_path / "foreign.safetensors"
    save_file(TENSORS, foreign)
    with pytest.raises(CheckpointError, match="no checkpoint of headstart"):
        read_checkpoint(foreign)
    for text in ("{", "{}", '{"format": 3}'):
        save_file(TENSORS, foreign, {"headstart": text})
        with pytest.raises(CheckpointError, match="damaged metadata"):
            read_checkpoint(foreign)
    foreign.write_bytes(b"no safetensors")
    with pytest.raises(DamagedError, match="is damaged: it cannot be read"):
        read_checkpoint(foreign)


@pytest.mark.parametrize(
    ("written", "remedy"),
    [(2, "run `dvc repro`, which writes it anew"), (9, "update headstart")],
)
def test_another_format_is_refused_with_its_remedy(
    tmp_path: Path, written: int, remedy: str
) -> None:
    path = tmp_path / "other.safetensors"
    save_file(TENSORS, path, {"headstart": json.dumps({"format": written, "kind": "head"})})
    with pytest.raises(CheckpointError) as refused:
        read_checkpoint(path)
    assert str(refused.value) == (
        f"{path} is a checkpoint of format {written}, but this headstart reads format 3: {remedy}."
    )


@pytest.mark.parametrize("costs", [[[0, 1]], [[0, 1], [1]], [[0, -1], [1, 0]]])
def test_costs_must_be_those_of_all_classes(tmp_path: Path, costs: list[list[float]]) -> None:
    path = tmp_path / "model.safetensors"
    text = json.dumps(INFO.model_dump(mode="json") | {"costs": costs})
    write_tensors(path, NamedTensors(TENSORS, {"headstart": text}))
    with pytest.raises(CheckpointError, match=r"damaged metadata \(.*(costs|greater)"):
        read_checkpoint(path)


def test_a_checkpoint_that_was_scored_anew_tells_how(tmp_path: Path) -> None:
    older = PREPROCESSING.model_copy(update={"pillow": "1.0"})
    scored = Checkpoint(info=INFO, tensors=TENSORS).as_scored(older, "bfloat16")
    write_checkpoint(tmp_path / "model.safetensors", scored)
    read = read_checkpoint(tmp_path / "model.safetensors").info
    assert (read.preprocessing, read.precision) == (older, "bfloat16")
    assert read.model_copy(update=INFO.model_dump(include={"precision"})) == INFO.model_copy(
        update={"preprocessing": older}
    )
