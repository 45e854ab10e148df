"""Reads the networks of a checkpoint."""

from collections.abc import Iterator
from pathlib import Path

import PIL

from headstart.backbone.device import Compute
from headstart.network.checkpoints import (
    Checkpoint,
    CheckpointError,
    CheckpointInfo,
    read_checkpoint,
)


def read_networks(path: Path) -> Checkpoint:
    """Read a checkpoint of one or several whole networks.

    Raises:
        CheckpointError: the file is no checkpoint, or holds a head alone.
    """
    content = read_checkpoint(path)
    if content.info.kind == "head":
        raise CheckpointError(
            f"{path} holds a head without its backbone; name the fine-tuned checkpoint."
        )
    return content


def read_deciding(path: Path) -> Checkpoint:
    """As `read_networks`, and the checkpoint also holds what decides between classes.

    Raises:
        CheckpointError: as `read_networks`; or it is of several labels a picture and no thresholds.
    """
    content = read_networks(path)
    if content.info.task == "multi_label" and "plain" not in content.info.thresholds:
        raise CheckpointError(
            f"{path} holds no thresholds, by which labels are decided; name "
            "data/4_checkpoints/model.safetensors, which tta-evaluate writes."
        )
    return content


def differences(path: Path, info: CheckpointInfo, compute: Compute) -> Iterator[str]:
    """Sentences about how this machine differs from the one that scored the checkpoint at `path`."""
    if others := info.preprocessing.pillows() - {PIL.__version__}:
        yield (
            f"{path} was scored on pictures made with Pillow {' and '.join(sorted(others))}, but "
            f"Pillow {PIL.__version__} is installed: probabilities may differ a little."
        )
    if info.precision != compute.inference_precision:
        yield (
            f"{path} was scored in {info.precision}, but this device ({compute.device}) has no "
            f"hardware for it and predicts in {compute.inference_precision}: probabilities may differ "
            "a little."
        )
