"""The networks of a checkpoint, ready to predict."""

import json
from pathlib import Path

from torch import nn

from headstart.backbone.backbone import metadata_of, require_shapes, restore_backbone
from headstart.backbone.device import Compute
from headstart.network.checkpoints import REMEDY, Checkpoint, CheckpointError
from headstart.network.head import linear_weights, restore_head
from headstart.network.network import Network
from headstart.project.short import first_line


def restored(content: Checkpoint, path: Path, compute: Compute) -> list[Network]:
    """The networks of the checkpoint at `path`, in evaluation mode.

    Raises:
        CheckpointError: its tensors do not fit its architecture, each other, or its classes.
    """
    info = content.info
    about = {
        "architecture": info.architecture,
        "mean": json.dumps(info.mean),
        "std": json.dumps(info.std),
        **metadata_of(info.pool, info.options),
    }
    networks = []
    for member in content.members():
        require_shapes(about, member.part("backbone"), str(path))
        backbone = restore_backbone(about, member.part("backbone"), str(path)).on(compute)
        head = _head(member, path)
        networks.append(Network(backbone, head).to(compute.device).eval())
    return networks


def _head(member: Checkpoint, path: Path) -> nn.Module:
    state, n_classes = member.part("head"), len(member.info.classes)
    n = len(linear_weights(state)[-1]) if linear_weights(state) else 0
    if n != n_classes:
        raise CheckpointError(
            f"{path} has {n_classes} classes, but its head gives {n} numbers: {REMEDY}."
        )
    try:
        return restore_head(state, member.info.dropout)
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} holds a head whose tensors do not fit each other ({first_line(error)}): {REMEDY}."
        ) from None
