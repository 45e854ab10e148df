"""What the pixels of all pictures of a folder show, taken together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np

from headstart.commands.small_picture import Seen
from headstart.image_files.split_names import SplitName
from headstart.indexing.layout import Layout
from headstart.indexing.near_duplicates import find_near_duplicates
from headstart.pictures.signature import SIDE
from headstart.project.report import Report

MAX_DECODED = 20_000  # pictures; 2,000 photographs take about 3 s of one core


class Alike(NamedTuple):
    """Two pictures that show the same shot.

    Attributes:
        first, second: their paths, in the order of the paths.
        kind: copy, mirrored, cropped, or mirrored cropped.
        similarity: at most 1, as `indexing.near_duplicates` has it.
    """

    first: str
    second: str
    kind: str
    similarity: float


@dataclass(frozen=True)
class Pixels:
    """What the pixels show.

    Attributes:
        n_decoded: pictures that were decoded.
        n_grey: those of them without colour, whatever their mode.
        alike: pairs that look alike and have not the same bytes: those in two splits first, then
            those in two class folders, then the most similar. None: all are too similar to tell.
    """

    n_decoded: int
    n_grey: int
    alike: Sequence[Alike] | None


def is_sampled(index: int, n: int) -> bool:
    """Whether a picture is decoded: all up to 20,000; of more, 20,000 at even distances.

    Args:
        index: its place among all, from 0.
        n: number of pictures.
    """
    return (index + 1) * MAX_DECODED // n > index * MAX_DECODED // n


def pixels_of(
    seen: Mapping[str, Seen], copies: Iterable[Sequence[str]], layout: Layout, report: Report
) -> Pixels:
    """Count the grey pictures, and find those that look alike.

    Args:
        seen: what the pixels of each picture show, by path.
        copies: groups of paths with the same bytes; one path of each group is compared with others.
        layout: tells the split of a path.
        report: shows progress.
    """
    whole = {path: one for path, one in seen.items() if not one.problem}
    repeated = {path for group in copies for path in [p for p in group if p in whole][1:]}
    signed = {
        path: one.signature
        for path, one in whole.items()
        if one.signature is not None and path not in repeated
    }
    paths, alike = list(signed), None
    cells = np.array(list(signed.values()), np.float16).reshape(-1, SIDE, SIDE)
    near = find_near_duplicates(cells, report)
    if near is not None:
        alike = [
            Alike(paths[pair.first], paths[pair.second], pair.kind, round(pair.similarity, 3))
            for pair in near
        ]
        alike.sort(key=lambda pair: _urgency(pair, layout))
    return Pixels(len(whole), sum(one.is_grey for one in whole.values()), alike)


def splits_of(pair: Alike, layout: Layout) -> tuple[SplitName, ...]:
    """The two splits of a pair that is a leak, in the order train, valid, test; () if it is none."""
    found = {layout.parts(path)[0] for path in (pair.first, pair.second)}
    splits = tuple(split for split in get_args(SplitName) if split in found)
    return splits if len(splits) == 2 else ()


def in_two_classes(pair: Alike, layout: Layout) -> bool:
    """Whether the pictures of a pair lie in the folders of two classes."""
    folders = [layout.parts(path)[1] for path in (pair.first, pair.second)]
    tops = {of[0] for of in folders if of}
    return len(tops) == 2


def _urgency(pair: Alike, layout: Layout) -> tuple[bool, bool, float]:
    return not splits_of(pair, layout), not in_two_classes(pair, layout), -pair.similarity
