"""Training modes: which batch norms update their statistics, and which keep them."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.project.errors import HeadstartError
from headstart.training.ranks import Ranks

BnFreeze = Literal["none", "backbone", "all"]
BnMomentum = Annotated[float, Field(gt=0, le=1)] | Literal["own"]


def has_batch_norm(backbone: nn.Module) -> bool:
    """Whether `bn_freeze: backbone` and `bn_momentum` have anything to act on in the backbone."""
    return any(isinstance(module, _BatchNorm) for module in backbone.modules())


def require_shared_norms(bn_freeze: BnFreeze, ranks: Ranks, device: torch.device) -> None:
    """Refuse norms that take their statistics from a batch, where processes cannot share these.

    Raises:
        HeadstartError: several processes train on CPUs, and some norms are not frozen.
    """
    if ranks.n > 1 and bn_freeze != "all" and device.type != "cuda":
        raise HeadstartError(
            f"optimizer_finetune.bn_freeze is {bn_freeze}, so batch norms take their statistics from "
            f"each batch, but {ranks.n} processes share it, and torch adds up statistics on GPUs only. "
            "Set it to all, or HEADSTART_PROCS to 1."
        )


def set_training_mode(
    groups: Sequence[Sequence[nn.Module]],
    first_trainable: int,
    bn_freeze: BnFreeze,
    bn_momentum: BnMomentum = "own",
) -> None:
    """Put each leaf module into the mode it trains in.

    A batch norm uses batch statistics, and updates its running ones, only if its group is trainable
    and `bn_freeze` does not freeze it: "backbone" freezes the backbone's norms, "all" the head's too
    (fastai's `bn_freeze(True)`). Only the statistics are frozen; scale and shift still train.

    Freeze the head's norms where the backbone changes fast. The head's first norm takes the mean and
    the spread of every feature out of the training loss, so features may drift freely. Its running
    statistics lag behind the drift. On textile (EfficientNet-Lite0, AdamW at 3e-4, backbone's norms
    frozen) the valid accuracy fell from 0.79 to 0.38 in the middle of a cycle and came back at its
    end. With the head's norms frozen too it stayed at 0.78.

    All layers of a frozen group are in evaluation mode, so that cached activations equal live ones.

    Args:
        groups: leaf modules of each group, first group first (see `layer_groups.module_groups`).
        first_trainable: number of the first group that trains.
        bn_freeze: see above.
        bn_momentum: weight of a batch in the running statistics of norms that are not frozen; "own"
            leaves each norm its own (0.1 by torch, and by timm for all its EfficientNets).
    """
    head = len(groups) - 1
    for number, group in enumerate(groups):
        frozen_bn = bn_freeze == "all" or (bn_freeze == "backbone" and number < head)
        for module in group:
            is_bn = isinstance(module, _BatchNorm)
            module.train(number >= first_trainable and not (is_bn and frozen_bn))
            if is_bn and module.training and bn_momentum != "own":
                module.momentum = bn_momentum  # type: ignore[assignment]
