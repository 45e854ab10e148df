from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from headstart.core.frame import Frame
from headstart.store.checkpoints import (
    Checkpoint,
    CheckpointError,
    CheckpointInfo,
    named_tensors,
    read_checkpoint,
    write_checkpoint,
)

INFO = CheckpointInfo(
    kind="head",
    architecture="net",
    weights="w",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    size_px=32,
    full_px=32,
    frame=Frame("center", 1.0),
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
    save_file(TENSORS, foreign, {"headstart": '{"format": 9}'})
    with pytest.raises(CheckpointError, match="another version"):
        read_checkpoint(foreign)
    foreign.write_bytes(b"no safetensors")
    with pytest.raises(CheckpointError, match="no readable checkpoint"):
        read_checkpoint(foreign)
