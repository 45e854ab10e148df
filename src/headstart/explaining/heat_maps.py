"""Where networks looked: heat maps of pictures, batch by batch."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.explaining.look import Look, scaled
from headstart.network.network import Network
from headstart.views.inference import by_teams, id_batches, padded
from headstart.views.pictures import Pictures

Heat = NDArray[np.float32]
"""(h, w) in [0, 1]: how much each cell of the network's input speaks for a class; the hottest is 1."""


class Looks(NamedTuple):
    """A forward pass of M networks over a batch of B pictures.

    Attributes:
        members: one look a network, over the batch and what pads it.
        n: B.
    """

    members: Sequence[Look]
    n: int

    def logits(self) -> NDArray[np.float32]:
        """(B, M, K), as `forward_passes` gives them."""
        logits = torch.stack([look.logits for look in self.members], dim=1)
        return logits[: self.n].float().cpu().numpy()

    def heat(self, classes: Sequence[int]) -> NDArray[np.float32]:
        """The heat map (h, w) of a class for each picture: (B, h, w); of an ensemble the mean.

        Args:
            classes: B numbers, the class asked of each picture.
        """
        logits = self.members[0].logits
        asked = torch.zeros(len(logits), dtype=torch.int64)
        asked[: self.n] = torch.tensor(classes)
        asked = asked.to(logits.device)
        heat = torch.stack([look.heat(asked) for look in self.members]).mean(0)  # (M, B, h, w)
        return scaled(heat[: self.n]).cpu().numpy()


def looks(networks: Sequence[Network], batches: Iterable[Tensor]) -> Iterator[Looks]:
    """Look at each batch (B, 3, S, S) with each network; all are in evaluation mode.

    Batches are padded, and computed by teams of threads, as `forward_passes` does it.

    Raises:
        HeadstartError: a network has tokens, but none that could be laid over a picture.
    """

    def look(pictures: Tensor) -> Looks:
        full = padded(pictures)
        return Looks([Look(network, full) for network in networks], len(pictures))

    return by_teams(look, batches)


def heat_maps(
    networks: Sequence[Network], pictures: Pictures, asked: Sequence[tuple[str, int]]
) -> Iterator[Heat]:
    """Yield where the networks saw a class in a picture, for each (id, class number) in `asked`.

    Args:
        networks: of one checkpoint, in evaluation mode, on the device of `pictures`.
        pictures: at the size of the networks' input.
        asked: a picture may come several times, with several classes.

    Raises:
        HeadstartError: a network has tokens, but none that could be laid over a picture.
    """
    batches = id_batches([picture for picture, _ in asked], pictures.device)
    classes = iter([number for _, number in asked])
    for seen in looks(networks, pictures.plain(batches)):
        yield from seen.heat([next(classes) for _ in range(seen.n)])
