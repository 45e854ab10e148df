"""Training batches of cached features."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.activations.rows import FeatureRows
from headstart.backbone.device import on_device
from headstart.network.objective import Targets
from headstart.training.sampling import Rows


def views_of_epochs(epochs: Sequence[int], n_views: int) -> dict[int, int]:
    """The view that each epoch at one size reads: epoch e view e modulo V, or the next unread one.

    A view is unread if no earlier epoch has read it since the last time that all V were read. So with
    as many views as epochs no view is read twice. Otherwise no view is read more than once more often
    than another. Both hold even where epochs at another size lie in between.

    >>> views_of_epochs([0, 1, 2, 6, 7, 8], 6)  # epochs 3, 4 and 5 were at another size
    {0: 0, 1: 1, 2: 2, 6: 3, 7: 4, 8: 5}

    Args:
        epochs: those at the size, rising, counted from 0 over all sizes.
        n_views: V.
    """
    views: dict[int, int] = {}
    read: set[int] = set()
    for epoch in epochs:
        view = epoch % n_views
        while view in read:
            view = (view + 1) % n_views
        views[epoch] = view
        read.add(view)
        if len(read) == n_views:
            read.clear()
    return views


@dataclass(frozen=True)
class FeatureSource:
    """Cached features of V views: epoch e reads view e modulo V, unless `view_of` names another.

    Attributes:
        features: (V, N, D) float32, which may be read as they are indexed; a plain view is V = 1.
        targets: of the N pictures.
        device: where the batches go.
        view_of: epoch -> its view, as `views_of_epochs` gives it.
    """

    features: NDArray[np.float32] | FeatureRows
    targets: Targets
    device: torch.device
    view_of: Mapping[int, int] = field(default_factory=dict)

    def epoch(self, epoch: int, batches: Sequence[Rows]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield features (B, D) and targets (B, ...) of each batch; copy k reads the k-th next view."""
        for shown in batches:
            views = (self.view_of.get(epoch, epoch) + shown.copies) % len(self.features)
            features = on_device(self.features[views, shown.rows], self.device)
            yield features, on_device(self.targets[shown.rows], self.device)
