"""A forward pass that can be asked where in the pictures a network saw a class.

Maps: Grad-CAM. Each channel of the last map is weighted by the mean gradient of the class's logit, and
of the weighted sum only what speaks for the class counts. Source: Selvaraju et al. 2017, section 3,
arXiv 1610.02391.

Tokens: gradient times token, summed over the channels, of the patches' tokens; again only what speaks
for the class counts. The tokens are the last ones; where there is a class token, those that the last
attention reads.
"""

import math
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from headstart.backbone.backbone import Backbone
from headstart.network.network import Network
from headstart.project.errors import HeadstartError


class Look:
    """A network's forward pass over N pictures, in evaluation mode.

    It has the precision and the kernels of a prediction, so its logits are the same to the bit. Only
    what follows the features that are asked, mostly the head, is kept for a backward pass.

    Attributes:
        logits: (N, K), float32, without gradient.
    """

    def __init__(self, network: Network, pictures: Tensor) -> None:
        """Run the network.

        Args:
            network: in evaluation mode.
            pictures: (N, 3, S, S) in [0, 255], on its device.

        Raises:
            HeadstartError: the network has tokens, but none that could be laid over a picture.
        """
        backbone = network.backbone
        self._layout = backbone.layout
        last, entered = _last_attention(backbone), list[Tensor]()
        hook = last.register_forward_pre_hook(_recorder(entered)) if last else nullcontext()
        with hook, torch.no_grad():
            features = backbone.features(pictures)
        if self._layout.form == "NLC":
            self._side = _side(features.shape[1] - self._layout.n_prefix)
        if entered and self._are_tokens(entered[0], features):
            self._asked = entered[0]
        elif backbone.pool == "token":
            raise HeadstartError(
                f"the head reads the class token of {backbone.architecture} alone, which was not "
                "seen to read the patches: where the network looked cannot be shown."
            )
        else:
            self._asked = features = features.detach().requires_grad_()
        with torch.enable_grad():
            self._logits: Tensor = network.head(backbone.joined(features))
        self.logits = self._logits.detach()

    def heat(self, classes: Tensor) -> Tensor:
        """Where each picture shows its class: (N, h, w), float32, in [0, 1].

        The hottest cell of each picture is 1. A map in which nothing speaks for the class is 0.

        Args:
            classes: (N,) int64, the class asked of each picture.
        """
        # in evaluation mode no picture shapes the logits of another: one pass serves them all
        wanted = self._logits.gather(1, classes.unsqueeze(1)).sum()
        (slopes,) = torch.autograd.grad(wanted, self._asked, retain_graph=True)
        features, slopes = self._asked.detach().float(), slopes.float()
        if self._layout.form == "NLC":
            products = (features * slopes)[:, -(self._side**2) :].sum(2)  # (N, L, C) -> (N, h * w)
            return scaled(products.reshape(-1, self._side, self._side))
        if self._layout.form == "NHWC":
            # (N, H, W, C) -> (N, C, H, W)
            features, slopes = (x.permute(0, 3, 1, 2) for x in (features, slopes))
        weights = slopes.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
        return scaled((weights * features).sum(1))

    def _are_tokens(self, entered: Tensor, features: Tensor) -> bool:
        """Whether what enters the attention are tokens (N, L, C), with or without the prefix."""
        n, length = features.shape[:2]
        return (
            entered.ndim == 3 and len(entered) == n and self._side**2 <= entered.shape[1] <= length
        )


def scaled(maps: Tensor) -> Tensor:
    """What is above 0 in maps (N, h, w), in parts of each map's maximum."""
    maps = maps.clamp_min(0)
    return maps / maps.amax((1, 2), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)


def _side(n_patches: int) -> int:
    """The side of the square that the patches of a picture form.

    Raises:
        HeadstartError: they form none.
    """
    side = math.isqrt(max(n_patches, 0))
    if side < 2 or side**2 != n_patches:
        raise HeadstartError(
            f"the network gives {n_patches} tokens of patches, which form no square: where it looked "
            "cannot be shown."
        )
    return side


def _last_attention(backbone: Backbone) -> nn.Module | None:
    """The attention whose input is asked in place of the last features; None: there is none.

    The last attention moves what the patches show into the class token, which the head reads. A
    gradient of the last patches would not see that. One of the block's own input would not either: the
    norm between them takes away the length of a token, so along a token there is no slope.
    """
    blocks = getattr(backbone.model, "blocks", None)
    if backbone.layout.has_class and isinstance(blocks, nn.Sequential | nn.ModuleList) and blocks:
        attention = getattr(blocks[-1], "attn", None)
        return attention if isinstance(attention, nn.Module) else None
    return None


def _recorder(
    entered: list[Tensor],
) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...] | None]:
    """A hook that keeps a module's input in `entered`, and records gradients from it on.

    It switches recording on for the rest of the forward pass; the `no_grad` around it ends that. It
    leaves the passes of other threads as they are.
    """
    own = threading.get_ident()

    def enter(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if threading.get_ident() != own:
            return None
        torch.set_grad_enabled(True)
        entered.append(inputs[0].detach().requires_grad_())
        return entered[0], *inputs[1:]

    return enter
