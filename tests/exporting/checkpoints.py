"""Checkpoints of small networks, as tta-evaluate leaves them."""

from typing import Any

import torch

from headstart.backbone.frame import Frame
from headstart.network.checkpoints import Checkpoint, CheckpointInfo, named_tensors
from tests.small_networks import PREPROCESSING, SIZE, small_network

CLASSES = ("cat", "dog", "eel")


def small_info(**changes: Any) -> CheckpointInfo:
    """About `small_network`."""
    normalisation = small_network().backbone.normalisation
    info = CheckpointInfo(
        kind="network", architecture="test_resnet", weights="", mean=normalisation.mean,
        std=normalisation.sd, size_px=SIZE, full_px=SIZE, frame=Frame("center", 1.0),
        preprocessing=PREPROCESSING, precision="float32", classes=CLASSES, task="single_label",
        hidden_units=16, dropout=(0.0, 0.0), params={},
    )  # fmt: skip
    return info.model_copy(update=changes)


def small_checkpoint(n_members: int = 1, **changes: Any) -> Checkpoint:
    """A network, or an ensemble whose members differ by what they add to the logits of a class."""
    network: Any = small_network()
    with torch.no_grad():  # one that decides, and not always for the same class
        network.head[-1].weight *= 40
        network.head[-1].bias += torch.tensor([2.1, -3.5, 2.8])
    tensors = named_tensors("backbone", network.backbone.model.state_dict())
    tensors |= named_tensors("head", network.head.state_dict())
    if n_members == 1:
        return Checkpoint(info=small_info(**changes), tensors=tensors)
    members: dict[str, torch.Tensor] = {}
    for number in range(n_members):
        members |= {f"{number}.{name}": tensor.clone() for name, tensor in tensors.items()}
        members[f"{number}.head.6.bias"][number] += 2
    return Checkpoint(info=small_info(kind="ensemble", **changes), tensors=members)
