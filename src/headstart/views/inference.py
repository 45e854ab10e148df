"""Forward passes without gradients, in fixed-size batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbone.device import forward_batch
from headstart.views.pictures import Pictures


def id_batches(ids: Sequence[str], device: torch.device) -> list[Sequence[str]]:
    """Cut ids into the batches of forward passes on `device`; the last may be smaller."""
    size = forward_batch(device)
    return [ids[i : i + size] for i in range(0, len(ids), size)]


def forward_passes(
    forward: Callable[[Tensor], Tensor], batches: Iterable[Tensor]
) -> Iterator[NDArray[np.float32]]:
    """Yield the outputs (B, D or K), float32, of each batch (B, 3, S, S).

    `forward` must be in evaluation mode. Partial batches are padded to the full size and cut again,
    so that a picture's output does not depend on the size of its batch.
    """
    for pictures in batches:
        with torch.inference_mode():  # not around the yield: the caller may want gradients
            outputs = forward(padded(pictures))[: len(pictures)].float().cpu().numpy()
        yield outputs


def padded(pictures: Tensor) -> Tensor:
    """A batch (B, 3, S, S) and copies of its first picture, which fill a forward pass."""
    n, full = len(pictures), forward_batch(pictures.device)
    if n >= full:
        return pictures
    return torch.cat([pictures, pictures[:1].expand(full - n, -1, -1, -1)])


def network_logits(network: nn.Module, pictures: Pictures, ids: Sequence[str]) -> Tensor:
    """Logits (N, K) of the plain views; the network is left in evaluation mode."""
    network.eval()
    passes = forward_passes(network, pictures.plain(id_batches(ids, pictures.device)))
    return torch.from_numpy(np.concatenate(list(passes)))
