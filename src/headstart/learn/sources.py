"""Where training batches come from: cached features, or pictures decoded and augmented live."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.core.augment import AugmentParams
from headstart.learn.pictures import Pictures


@dataclass(frozen=True)
class FeatureSource:
    """Cached features of V views: epoch e reads view e modulo V.

    Attributes:
        features: (V, N, D) float32, possibly memory-mapped; a plain view is V = 1.
        targets: (N,) class numbers.
        device: where the batches go.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    device: torch.device

    @property
    def n(self) -> int:
        """Pictures of an epoch."""
        return len(self.targets)

    def epoch(
        self, epoch: int, order: Sequence[NDArray[np.int64]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """For each batch of rows its features (B, D) and targets (B,)."""
        view = self.features[epoch % len(self.features)]
        for rows in order:
            features, targets = torch.from_numpy(view[rows]), torch.from_numpy(self.targets[rows])
            yield features.to(self.device), targets.to(self.device)


@dataclass(frozen=True)
class PictureSource:
    """Live pictures: epoch e shows view e of each.

    Attributes:
        pictures: decodes and augments.
        ids: (N) picture ids, in the order of `targets` (N,).
        augment: how views differ.
        seed: of the views.
    """

    pictures: Pictures
    ids: Sequence[str]
    targets: NDArray[np.int64]
    augment: AugmentParams
    seed: int

    @property
    def n(self) -> int:
        """Pictures of an epoch."""
        return len(self.ids)

    def epoch(
        self, epoch: int, order: Sequence[NDArray[np.int64]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """For each batch of rows its pictures (B, 3, S, S) in [0, 255] and targets (B,)."""
        batches = [[self.ids[row] for row in rows] for rows in order]
        views = self.pictures.views(batches, self.augment, self.seed, epoch)
        for pictures, rows in zip(views, order, strict=True):
            yield pictures, torch.from_numpy(self.targets[rows]).to(pictures.device)
