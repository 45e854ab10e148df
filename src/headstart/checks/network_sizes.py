"""Checks that the network takes the sizes of all phases; only shapes are computed."""

from collections.abc import Iterator

import torch
from torch import nn

from headstart.backbone.backbone import BackboneParams
from headstart.backbone.timm_models import (
    UnsuitableBackboneError,
    built,
    features_of,
    likely_px,
)
from headstart.steps.find_lr_finetune import FindLrFinetuneParams
from headstart.steps.unfreeze_finetune import UnfreezeFinetuneParams


def unfit_sizes(
    backbone: BackboneParams,
    find_lr_finetune: FindLrFinetuneParams,
    unfreeze_finetune: UnfreezeFinetuneParams,
) -> Iterator[str]:
    """A sentence about each size that the network does not take, as fetch-weights builds it.

    fetch-weights knows no phases, so a network that is built for one size would fail in the phase of
    another, after all else was computed. Where all sizes are backbone.size_px, nothing is built here,
    which takes seconds: fetch-weights tries that size at once.
    """
    wanted = {
        f"unfreeze_finetune.phases.{number}.size_px": phase.size_px
        for number, phase in enumerate(unfreeze_finetune.phases)
    }
    if find_lr_finetune.n_iter:
        wanted = {"find_lr_finetune.size_px": find_lr_finetune.size_px, **wanted}
    sizes = backbone.sizes()
    others = {k: px for k, px in wanted.items() if isinstance(px, int) and px not in sizes}
    if not others and sizes == [backbone.size_px]:
        return
    with torch.device("meta"):
        try:
            model = built(backbone.name, sizes).model
        except UnsuitableBackboneError as error:
            yield str(error)
            return
        for key, size_px in others.items():
            if not _takes(model, size_px):
                yield (
                    f"{key} is {size_px}, which backbone.name {backbone.name!r} does not take, built "
                    f"for {', '.join(map(str, sizes))} px (backbone.size_px, backbone.cached_px). "
                    f"{_remedy(size_px, backbone, model)}"
                )


def _remedy(size_px: int, backbone: BackboneParams, model: nn.Module) -> str:
    """The sizes that `model` takes, and whether the network could be built for `size_px` too."""
    likely = [px for px in likely_px(backbone.name, backbone.sizes()) if px <= backbone.size_px]
    fit = f"Sizes that fit: {', '.join(str(px) for px in likely if _takes(model, px))} px."
    try:
        built(backbone.name, [*backbone.sizes(), size_px])
    except UnsuitableBackboneError:
        return fit
    return f"{fit} Or name {size_px} in backbone.cached_px too: then it is built for both."


def _takes(model: nn.Module, size_px: int) -> bool:
    try:
        features_of(model, size_px)
    except Exception:  # each network says in its own way that a size does not fit
        return False
    return True
