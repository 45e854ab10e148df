"""The networks of a checkpoint, ready to predict."""

import json
from pathlib import Path

from headstart.backbone.backbone import metadata_of, restore_backbone
from headstart.backbone.device import Compute
from headstart.network.checkpoints import Checkpoint
from headstart.network.head import restore_head
from headstart.network.network import Network


def restored(content: Checkpoint, path: Path, compute: Compute) -> list[Network]:
    """The networks of the checkpoint at `path`, in evaluation mode."""
    info = content.info
    about = {
        "architecture": info.architecture,
        "mean": json.dumps(info.mean),
        "std": json.dumps(info.std),
        **metadata_of(info.pool, info.options),
    }
    networks = []
    for member in content.members():
        backbone = restore_backbone(about, member.part("backbone"), str(path)).on(compute)
        head = restore_head(member.part("head"), info.dropout)
        networks.append(Network(backbone, head).to(compute.device).eval())
    return networks
