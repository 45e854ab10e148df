"""Searches for near duplicates once for the same pictures, whatever their names, labels and splits."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.indexing.near_duplicates import Near, find_near_duplicates
from headstart.kept.once import Known
from headstart.project.report import Report
from headstart.project.work import code_digest

# The rooms whose code determines which pairs are found.
ROOMS = ("indexing", "kept", "pictures", "project")


def near_once(
    ids: Sequence[str], signatures: NDArray[np.float16], report: Report, earlier: Known
) -> list[Near] | None:
    """As `find_near_duplicates`; pairs that an earlier run found among the same pictures are reused.

    A search among 100,000 pictures takes minutes, and a corrected label changes no picture.

    Args:
        ids: (N) sorted ids of the pictures.
        signatures: (N, 32, 32) in the order of `ids`.
        report: shows progress.
        earlier: facts of pictures, whose key covers what makes signatures; new pairs are added.
    """
    pictures = hashlib.sha256("\n".join((code_digest(*ROOMS), *ids)).encode()).hexdigest()
    name = f"near.{pictures[:32]}"
    if (found := earlier.get(name)) is not None:
        pairs = json.loads(found)
        return None if pairs is None else [Near(*pair) for pair in pairs]
    near = find_near_duplicates(signatures, report)
    earlier.add(name, json.dumps(near).encode())
    return near
