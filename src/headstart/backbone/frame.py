"""The frame: the part of a picture that the plain view scales to the network's square input."""

from dataclasses import dataclass
from typing import Literal

PlainCrop = Literal["center", "squash"]


@dataclass(frozen=True)
class Frame:
    """What the plain view shows; augmented views zoom, move and turn within the same geometry.

    One choice holds for train, valid and prediction alike: where the plain view squashes, the
    augmented views do too. So no network is trained on proportions that it is not shown later.

    Attributes:
        crop: center: a square, proportions kept, what exceeds it is cut off (fastai 0.7's CENTER).
            squash: both sides are scaled to the square, nothing is cut off (fastai 0.7's NO).
        crop_frac: part that is shown, in (0, 1]: of the shorter side by center, of both by squash.
    """

    crop: PlainCrop
    crop_frac: float

    def sides(self, width: int, height: int) -> tuple[float, float]:
        """Width and height, px, of the part shown of a picture of (width, height) px."""
        if self.crop == "squash":
            return width * self.crop_frac, height * self.crop_frac
        side = min(width, height) * self.crop_frac
        return side, side
