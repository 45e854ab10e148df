"""A backbone and a head, joined."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from headstart.backbone.backbone import Backbone
from headstart.network.head import restore_head
from headstart.project.errors import HeadstartError


class Network(nn.Module):
    """A backbone and a head: pictures (N, 3, H, W) in [0, 255] -> logits (N, K)."""

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, K). A backbone that is frozen as a whole runs without gradients.

        It then has the precision of inference, and its features equal the cached ones.
        """
        trains = any(parameter.requires_grad for parameter in self.backbone.parameters())
        with torch.set_grad_enabled(torch.is_grad_enabled() and trains):
            features = self.backbone(pictures)  # (N, D)
        logits: Tensor = self.head(features)
        return logits


def join(
    backbone: Backbone, weights: str, head: Mapping[str, Tensor], dropout: tuple[float, float]
) -> Network:
    """A network of `backbone` and the head whose state is `head`, on the backbone's device.

    Args:
        backbone: the frozen original.
        weights: digest of the backbone that the head was trained on.
        head: the head's state.
        dropout: of the head, before its two linear layers.

    Raises:
        ValueError: the head was trained on another backbone.
    """
    if weights != backbone.digest:
        raise HeadstartError(
            f"the head was trained on a backbone with digest {weights[:12]}, but the backbone file "
            f"({backbone.architecture}) has {backbone.digest[:12]}; run the earlier stages again."
        )
    return Network(backbone, restore_head(head, dropout)).to(backbone.compute.device)
