"""How long MLflow may take: after the end of a stage, and over each thing that `sync` tells it."""

import math
import os
from collections.abc import Mapping
from typing import Final

from headstart.project.errors import HeadstartError

NAME: Final = "HEADSTART_TRACKER_S"
DEFAULT_S: Final = 30.0


def deadline_s(environment: Mapping[str, str] = os.environ) -> float:
    """Seconds after the end of a stage in which MLflow must have taken its run: HEADSTART_TRACKER_S.

    `headstart sync` gives MLflow as long for each thing.

    Raises:
        ValueError: HEADSTART_TRACKER_S is no finite number of at least 0.
    """
    if not (wanted := environment.get(NAME)):
        return DEFAULT_S
    try:
        seconds = float(wanted)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise HeadstartError(f"{NAME} is {wanted!r}; it must be a number of seconds from 0.")
    return seconds
