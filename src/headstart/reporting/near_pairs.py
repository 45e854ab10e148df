"""Pairs of pictures that show one shot, for the page."""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from headstart.reporting.thumbnails import Thumbnails

N_SHOWN = 24
"""Pairs on the page; near_duplicates.csv lists all."""


class OneOfTwo(NamedTuple):
    """A picture of a pair."""

    number: int | None
    """Of its thumbnail; None without one."""
    path: str
    name: str
    """The file's name, the last part of its path."""
    split: str
    labels: str
    set_aside: bool
    """Whether it was set aside, so it is not stored."""


class NearPair(NamedTuple):
    """A pair on the page."""

    kind: str
    similarity: float
    wrong: bool
    """Whether the two lie in two splits, or have different labels."""
    both: tuple[OneOfTwo, OneOfTwo]


def read_near(path: Path) -> pd.DataFrame:
    """Read near_duplicates.csv; its cells but the similarity are texts."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return table.astype({"similarity": float})


def near_pairs(
    table: pd.DataFrame, paths: Mapping[str, str], thumbnails: Thumbnails | None
) -> list[NearPair]:
    """The first pairs, in the order of the table.

    Args:
        table: as read_near.
        paths: path of one file of each stored picture, by id.
        thumbnails: gives each picture that is shown its number; None: without pictures.
    """
    ids = {path: picture for picture, path in paths.items()}
    return [_pair(row, ids, thumbnails) for row in table.head(N_SHOWN).itertuples(index=False)]


def _pair(row: Any, ids: Mapping[str, str], thumbnails: Thumbnails | None) -> NearPair:
    def one(path: str, split: str, labels: str) -> OneOfTwo:
        number = thumbnails.number(ids[path]) if thumbnails and path in ids else None
        name = PurePosixPath(path).name
        return OneOfTwo(number, path, name, split, labels, path not in ids)

    both = (
        one(row.first, row.first_split, row.first_labels),
        one(row.second, row.second_split, row.second_labels),
    )
    labels: Collection[str] = {each.labels for each in both if each.labels}
    apart = row.first_split != row.second_split and not row.set_aside
    return NearPair(row.kind, row.similarity, apart or len(labels) > 1, both)
