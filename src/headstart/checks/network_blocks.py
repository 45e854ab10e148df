"""Checks that the network's activations can be checkpointed; nothing is computed."""

from collections.abc import Iterator

import torch

from headstart.backbone.backbone import BackboneParams
from headstart.backbone.timm_models import UnsuitableBackboneError, built
from headstart.training.activation_checkpointing import blocks_of
from headstart.training.phases import FinetuneOptimizerParams


def without_blocks(
    backbone: BackboneParams, optimizer_finetune: FinetuneOptimizerParams
) -> Iterator[str]:
    """A sentence about a network of which timm states no layers, where they are needed.

    fetch-weights does not need them, so fine-tuning would fail after all else was computed.
    """
    if not optimizer_finetune.checkpoint_activations:
        return
    try:
        with torch.device("meta"):
            model = built(backbone.name, backbone.sizes()).model
    except UnsuitableBackboneError:  # `unfit_sizes` or fetch-weights says so
        return
    try:
        blocks_of(model, backbone.name)
    except UnsuitableBackboneError as error:
        yield str(error)
