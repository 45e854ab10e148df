"""Where training batches come from: cached features, or pictures decoded and augmented live."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.core.augment import AugmentParams, draw
from headstart.core.sampling import Rows
from headstart.learn.device import on_device
from headstart.learn.objective import Targets
from headstart.learn.pictures import Pictures


@dataclass(frozen=True)
class FeatureSource:
    """Cached features of V views: epoch e reads view e modulo V.

    Attributes:
        features: (V, N, D) float32, possibly memory-mapped; a plain view is V = 1.
        targets: of the N pictures.
        device: where the batches go.
    """

    features: NDArray[np.float32]
    targets: Targets
    device: torch.device

    def epoch(self, epoch: int, batches: Sequence[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each batch its features (B, D) and targets (B, ...); copy k reads the k-th next view."""
        for shown in batches:
            views = (epoch + shown.copies) % len(self.features)
            features = on_device(self.features[views, shown.rows], self.device)
            yield features, on_device(self.targets[shown.rows], self.device)


@dataclass(frozen=True)
class PictureSource:
    """Live pictures: epoch e shows view e of each.

    Attributes:
        pictures: decodes and augments.
        ids: (N) picture ids, in the order of `targets`.
        augment: how views differ.
        seed: of the views.
    """

    pictures: Pictures
    ids: Sequence[str]
    targets: Targets
    augment: AugmentParams
    seed: int

    def epoch(self, epoch: int, batches: Sequence[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each batch its pictures (B, 3, S, S) in [0, 255] and targets (B, ...).

        Each copy of a picture is augmented in its own way.
        """
        jobs = (
            [
                (self.ids[row], draw(self.augment, self.seed, epoch, self.ids[row], copy))
                for row, copy in zip(shown.rows.tolist(), shown.copies.tolist(), strict=True)
            ]
            for shown in batches
        )
        for pictures, shown in zip(self.pictures.drawn(jobs), batches, strict=True):
            yield pictures, on_device(self.targets[shown.rows], pictures.device)
