"""The input of an exported network: squares of pixels, cut as the pipeline cuts its plain views."""

from collections.abc import Iterable

import numpy as np

from headstart.exporting.pixels import Pixels
from headstart.network.checkpoints import CheckpointInfo
from headstart.pictures.rgb import decode_stored
from headstart.project.workers import in_order
from headstart.views.draws import PLAIN
from headstart.views.pictures import cropped


def squares(stored: Iterable[bytes], info: CheckpointInfo) -> Pixels:
    """Pixels (N, S, S, 3), uint8, of pictures in their last stored form; N is at least 1."""

    def square(data: bytes) -> Pixels:
        return cropped(decode_stored(data), info.size_px, info.frame, PLAIN)

    return np.stack(list(in_order(square, stored)))


def noise(n: int, size_px: int) -> Pixels:
    """Random pixels (n, S, S, 3), uint8, always the same: each picture has a colour and a grain."""
    random = np.random.default_rng(0)
    colour = random.uniform(0, 255, (n, 1, 1, 3))
    grain = random.normal(0, 1, (n, size_px, size_px, 3)) * random.uniform(5, 80, (n, 1, 1, 1))
    return (colour + grain).clip(0, 255).astype(np.uint8)
