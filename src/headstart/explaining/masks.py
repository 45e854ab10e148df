"""Heat maps of stored pictures as overlays, by the network that a checkpoint holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from headstart.backbone.device import Compute
from headstart.explaining.heat_maps import heat_maps
from headstart.explaining.overlay import mask_png
from headstart.network.checkpoints import read_checkpoint
from headstart.network.restored import restored
from headstart.project.errors import HeadstartError
from headstart.views.pictures import Pictures, Stored


class Asked(NamedTuple):
    """What an overlay is asked for.

    Attributes:
        picture: its id.
        number: the class of which the overlay shows where it was seen.
        size: width and height of the picture, in any unit.
    """

    picture: str
    number: int
    size: tuple[int, int]


def masks(path: Path, stored: Stored, machine: Compute, asked: Sequence[Asked]) -> list[bytes]:
    """A transparent PNG for each of `asked`; none for a network whose patches form no square.

    Args:
        path: checkpoint of one or several whole networks
        stored: their pictures
        machine: the device, in whose precision the checkpoint was scored
        asked: a picture may come several times, with several classes
    """
    content = read_checkpoint(path)
    info, compute = content.info, machine.predicting_in(content.info.precision)
    pictures = Pictures.of(stored, info.size_px, info.frame, compute.device)
    pairs = [(one.picture, one.number) for one in asked]
    try:
        heats = list(heat_maps(restored(content, path, compute), pictures, pairs))
    except HeadstartError:
        return []
    return [mask_png(heat, one.size, info.frame) for heat, one in zip(heats, asked, strict=True)]
