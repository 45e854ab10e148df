"""A forward pass that can be asked where in the pictures a network saw a class.

Maps: Grad-CAM. Each channel of the last map is weighted by the mean gradient of the class's logit, and
of the weighted sum only what speaks for the class counts. Source: Selvaraju et al. 2017, section 3,
arXiv 1610.02391.

Tokens: gradient times token, summed over the channels, of the patches' tokens; again only what speaks
for the class counts.
"""

import math
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
        """
        backbone = network.backbone
        self._layout = backbone.layout
        block, entered = _last_block(backbone), list[Tensor]()
        hook = block.register_forward_pre_hook(_recorder(entered)) if block else nullcontext()
        with hook, torch.no_grad():
            features = backbone.features(pictures)
        self._asked = entered[0] if entered else features.detach().requires_grad_()
        self._n_patches = features.shape[1] - self._layout.n_prefix  # of tokens (N, L, C)
        with torch.enable_grad():
            self._logits: Tensor = network.head(
                backbone.joined(features if entered else self._asked)
            )
        self.logits = self._logits.detach()

    def heat(self, classes: Tensor) -> Tensor:
        """Where each picture shows its class: (N, h, w), float32, in [0, 1].

        The hottest cell of each picture is 1. A map in which nothing speaks for the class is 0.

        Args:
            classes: (N,) int64, the class asked of each picture.

        Raises:
            HeadstartError: the patches of a network with tokens form no square.
        """
        # in evaluation mode no picture shapes the logits of another: one pass serves them all
        wanted = self._logits.gather(1, classes.unsqueeze(1)).sum()
        (slopes,) = torch.autograd.grad(wanted, self._asked, retain_graph=True)
        features, slopes = self._asked.detach().float(), slopes.float()
        if self._layout.form == "NLC":
            return scaled(self._of_tokens(features * slopes))
        if self._layout.form == "NHWC":
            # (N, H, W, C) -> (N, C, H, W)
            features, slopes = (x.permute(0, 3, 1, 2) for x in (features, slopes))
        weights = slopes.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
        return scaled((weights * features).sum(1))

    def _of_tokens(self, products: Tensor) -> Tensor:
        """Sums over channels, (N, h, w), of the patches among tokens (N, L, C); the prefix is first."""
        side = math.isqrt(self._n_patches)
        if side**2 != self._n_patches:
            raise HeadstartError(
                f"the network sees {self._n_patches} patches, which form no square: where it looked "
                "cannot be shown."
            )
        patches = products[:, -self._n_patches :].sum(2)  # (N, L, C) -> (N, h * w)
        return patches.unflatten(1, (side, side))


def scaled(maps: Tensor) -> Tensor:
    """What is above 0 in maps (N, h, w), in parts of each map's maximum."""
    maps = maps.clamp_min(0)
    return maps / maps.amax((1, 2), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)


def _last_block(backbone: Backbone) -> nn.Module | None:
    """The block whose input is asked in place of the last features; None: there is none.

    The last block moves what the patches show into the class token, which the head reads. A gradient
    of the last patches would not see that.
    """
    blocks = getattr(backbone.model, "blocks", None)
    has_blocks = isinstance(blocks, nn.Sequential | nn.ModuleList) and len(blocks) > 0
    return blocks[-1] if has_blocks and backbone.layout.has_class else None


def _recorder(entered: list[Tensor]) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
    """A hook that keeps a block's input in `entered`, and records gradients from it on.

    It switches recording on for the rest of the forward pass; the `no_grad` around it ends that.
    """

    def enter(block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        torch.set_grad_enabled(True)
        entered.append(inputs[0].detach().requires_grad_())
        return entered[0], *inputs[1:]

    return enter
