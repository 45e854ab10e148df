"""Forward passes without gradients, in fixed-size batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbone.device import forward_batch
from headstart.backbone.teams import Teams
from headstart.views.pictures import Pictures

T = TypeVar("T")


def id_batches(ids: Sequence[str], device: torch.device) -> list[Sequence[str]]:
    """Cut ids into the batches of forward passes on `device`; the last may be smaller."""
    size = forward_batch(device)
    return [ids[i : i + size] for i in range(0, len(ids), size)]


def forward_passes(
    forward: Callable[[Tensor], Tensor], batches: Iterable[Tensor]
) -> Iterator[NDArray[np.float32]]:
    """Yield the outputs (B, D or K), float32, of each batch (B, 3, S, S).

    `forward` must be in evaluation mode, and is called as `by_teams` says. Partial batches are padded
    to the full size and cut again, so that a picture's output does not depend on the size of its
    batch.
    """

    def outputs(pictures: Tensor) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32]
            found = forward(padded(pictures))[: len(pictures)].float().cpu().numpy()
        return found

    return by_teams(outputs, batches)


def by_teams(function: Callable[[Tensor], T], batches: Iterable[Tensor]) -> Iterator[T]:
    """Yield function(batch) of each batch, in order; on a CPU each team of threads has a batch.

    So two threads may call `function` at once (`teams.Teams`).
    """
    rest = iter(batches)
    if (first := next(rest, None)) is None:
        return
    teams, shown = Teams.of(first.device), chain([first], rest)
    yield from teams.each(function, shown) if teams else map(function, shown)


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
