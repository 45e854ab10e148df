"""Training batches of pictures that are decoded and augmented live."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from headstart.backbone.device import on_device
from headstart.network.objective import Targets
from headstart.training.sampling import Rows
from headstart.views.augment import AugmentParams, draw
from headstart.views.pictures import Pictures


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
        """Yield the pictures (B, 3, S, S) in [0, 255] and targets (B, ...) of each batch.

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
