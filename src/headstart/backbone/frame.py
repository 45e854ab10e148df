"""The frame: what the plain view of a picture shows, before the network's square input."""

from dataclasses import dataclass
from typing import Literal

PlainCrop = Literal["center", "squash"]


@dataclass(frozen=True)
class Frame:
    """What the plain view shows; training's views zoom, move and turn inside the same geometry.

    So one choice holds for train, valid and prediction alike: where the plain view squashes, the
    augmented ones do too, and no network is trained on proportions that it is not shown later.

    Attributes:
        crop: center: a square, proportions kept, what exceeds it is cut off (fastai 0.7's CENTER).
            squash: both sides are scaled to the square, nothing is cut off (its NO).
        crop_frac: part that is shown, in (0, 1]: of the shorter side by center, of both by squash.
    """

    crop: PlainCrop
    crop_frac: float

    def sides(self, width: int, height: int) -> tuple[float, float]:
        """Width and height of what is shown of a picture of (width, height) px."""
        if self.crop == "squash":
            return width * self.crop_frac, height * self.crop_frac
        side = min(width, height) * self.crop_frac
        return side, side
