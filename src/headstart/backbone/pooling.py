"""How the features of a picture, a map or tokens, become one vector."""

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from headstart.backbone.forms import AsPool, Pool
from headstart.backbone.timm_models import UnsuitableBackboneError

N_PARTS: dict[Pool, int] = {"concat": 2, "avg": 1, "token": 1, "token_avg": 2}
"""Vectors of C channels that a pool joins."""


@dataclass(frozen=True)
class Layout:
    """What a network's forward_features gives.

    Attributes:
        form: NCHW or NHWC for maps; NLC for tokens, the prefix first.
        n_channels: C.
        n_prefix: tokens that are no patches: class, distillation and register tokens.
        n_patches: tokens that are, at the size of the trial; 0 for maps.
        has_class: whether the first token is a class token.
    """

    form: Literal["NCHW", "NHWC", "NLC"]
    n_channels: int
    n_prefix: int = 0
    n_patches: int = 0
    has_class: bool = False

    @classmethod
    def of(cls, model: Any, features: object, name: str) -> "Layout":
        """The layout of `features`, which timm's `model` gave.

        Raises:
            UnsuitableBackboneError: they are neither a map nor tokens.
        """
        shape = tuple(features.shape) if isinstance(features, Tensor) else ()
        if len(shape) == 4:
            last = getattr(model, "output_fmt", "NCHW") == "NHWC"
            last = last or shape[1] != model.num_features == shape[3]
            return cls("NHWC", shape[3]) if last else cls("NCHW", shape[1])
        if len(shape) == 3:
            has_class = getattr(model, "cls_token", None) is not None
            has_class = has_class or getattr(model, "has_class_token", False)
            n_prefix = int(getattr(model, "num_prefix_tokens", has_class))
            return cls("NLC", shape[2], n_prefix, shape[1] - n_prefix, has_class and n_prefix > 0)
        found = f"the shape {shape}" if shape else f"the type {type(features).__name__}"
        raise UnsuitableBackboneError(
            f"backbone.name is {name!r}, whose features have {found}; a backbone must give a map "
            "(N, C, H, W) or tokens (N, L, C)."
        )

    def pool(self, wanted: AsPool, name: str) -> Pool:
        """The pool that `wanted` stands for.

        auto is concat for maps. For tokens it is token_avg, or avg if there is no class token, or
        token if there is nothing else.

        Raises:
            UnsuitableBackboneError: the network cannot give it.
        """
        possible: list[Pool] = ["concat", "avg"] if self.form != "NLC" or self.n_patches else []
        if self.has_class:
            possible = ["token_avg", "token", *possible] if possible else ["token"]
        if wanted == "auto":
            return "avg" if self.form == "NLC" and not self.has_class else possible[0]
        if wanted not in possible:
            lacks = "no class token" if possible[0] != "token" else "no tokens of patches"
            raise UnsuitableBackboneError(
                f"backbone.pool is {wanted}, but backbone.name is {name!r}, whose features have "
                f"{lacks}; set auto or {' or '.join(possible)}."
            )
        return wanted


def pooled(features: Tensor, pool: Pool, layout: Layout) -> list[Tensor]:
    """The parts, each (N, C), that `pool` joins: of the maps or the tokens of N pictures.

    Register and distillation tokens are in no part.
    """
    if layout.form == "NLC":
        patches = features[:, layout.n_prefix :]  # (N, L, C) -> (N, L - prefix, C)
        if pool == "token":
            return [features[:, 0]]
        if pool == "token_avg":
            return [features[:, 0], patches.mean(1)]
        return [patches.amax(1), patches.mean(1)] if pool == "concat" else [patches.mean(1)]
    maps = features
    if layout.form == "NHWC":
        maps = maps.permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
    return [maps.amax((2, 3)), maps.mean((2, 3))] if pool == "concat" else [maps.mean((2, 3))]
