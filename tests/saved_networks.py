"""Checkpoints of small networks: cats, dogs and eels."""

from collections.abc import Mapping
from pathlib import Path

import torch

from headstart.backbone.frame import Frame
from headstart.evaluation.final_model import write_final_model
from headstart.evaluation.predictions import Kind
from headstart.network.checkpoints import (
    Checkpoint,
    CheckpointInfo,
    named_tensors,
    write_checkpoint,
)
from tests.small_networks import PREPROCESSING, small_network


def save_networks(folder: Path) -> None:
    """Write net (one label), two (an ensemble), bare (several labels), many (with thresholds), squashed
    and head, all .safetensors."""
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
    write_checkpoint(folder / "net.safetensors", Checkpoint(info=info, tensors=tensors))
    double = {
        f"{number}.{name}": tensor.clone() for number in (0, 1) for name, tensor in tensors.items()
    }
    double |= {"1.head.6.bias": tensors["head.6.bias"] + torch.tensor([9.0, 0.0, 0.0])}
    ensemble = info.model_copy(update={"kind": "ensemble"})
    write_checkpoint(folder / "two.safetensors", Checkpoint(info=ensemble, tensors=double))
    several = Checkpoint(info=info.model_copy(update={"task": "multi_label"}), tensors=tensors)
    write_checkpoint(folder / "bare.safetensors", several)
    thresholds: Mapping[Kind, tuple[float, ...]] = {"plain": (0.0, 1.0, 0.5), "tta": (1.0,) * 3}
    about = several.info.model_dump(mode="json")
    write_final_model(
        folder / "many.safetensors", folder / "bare.safetensors", about, thresholds, {}
    )
    squashed = info.model_copy(update={"frame": Frame("squash", 1.0)})
    write_checkpoint(folder / "squashed.safetensors", Checkpoint(info=squashed, tensors=tensors))
    alone = info.model_copy(update={"kind": "head"})
    write_checkpoint(folder / "head.safetensors", Checkpoint(info=alone, tensors=heads))
