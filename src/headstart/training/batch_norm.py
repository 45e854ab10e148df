"""Which batch norms learn statistics, and which keep theirs."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

BnFreeze = Literal["none", "backbone", "all"]
BnMomentum = Annotated[float, Field(gt=0, le=1)] | Literal["own"]


def set_training_mode(
    groups: Sequence[Sequence[nn.Module]],
    first_trainable: int,
    bn_freeze: BnFreeze,
    bn_momentum: BnMomentum = "own",
) -> None:
    """Put each leaf module into the mode it trains in.

    A batch norm uses and updates batch statistics only if its group is trainable and not frozen by
    `bn_freeze`: "all" freezes those of the head too (fastai's `bn_freeze(True)`), "backbone" leaves
    the head's running. Frozen means the statistics alone; scale and shift still train.

    Freeze the head's where the backbone moves fast. Its first norm takes the mean and the spread of
    every feature out of the training loss, so features may drift freely, and its running statistics
    lag behind them: on textile (EfficientNet-Lite0, AdamW at 3e-4, backbone's norms frozen) the
    valid accuracy fell from 0.79 to 0.38 in the middle of a cycle and came back at its end; with the
    head's norms frozen too it stayed at 0.78.

    The layers of a frozen group are in evaluation mode altogether, which is what makes cached
    activations equal live ones.

    Args:
        groups: leaf modules a group, first group first (see `layer_groups.module_groups`).
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
