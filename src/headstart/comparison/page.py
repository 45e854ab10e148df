"""Two runs side by side as one self-contained page, with the pictures on which they disagree."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

import pandas as pd

from headstart.comparison.comparison import Comparison
from headstart.comparison.scores import SCORES
from headstart.comparison.splits import SplitComparison, Which
from headstart.comparison.text import KIND, paired_pictures, title
from headstart.evaluation.predictions import Kind
from headstart.reporting.html_page import html_page
from headstart.reporting.thumbnails import Decode, Thumbnails

N_PICTURES = 60
"""Most pictures in each group; a page of four full groups is about 2 MB."""


class Shot(NamedTuple):
    """One picture, and what both runs say of it.

    Attributes:
        number: of Thumbnails; None if the picture is not at hand.
        name: of its file; its id if no file is known.
        path: of its file, in the folder of pictures.
        actual: the true labels.
        said: of a and b: the predicted labels with their probability, and whether they are right.
    """

    number: int | None
    name: str
    path: str
    actual: str
    said: list[tuple[str, str, bool]]


class Group(NamedTuple):
    """The pictures that one run alone gets right.

    Attributes:
        heading: which run, and how many.
        shots: the widest gap between the runs first.
        note: how many of them are shown; "" for all.
    """

    heading: str
    shots: list[Shot]
    note: str


class SplitPart(NamedTuple):
    """What the page shows of one split."""

    of: SplitComparison
    pictures: str
    groups: list[Group]


def comparison_page(
    comparison: Comparison, kind: Kind, decode: Decode, stored: Collection[str]
) -> str:
    """Build the page.

    Args:
        comparison: of two runs.
        kind: whose pictures are shown: those of the plain view, or of TTA.
        decode: id -> RGB picture.
        stored: the ids that `decode` takes; other pictures are named only.
    """
    paths = {**comparison.b.paths, **comparison.a.paths}
    shots = _Shots(paths, Thumbnails(decode), stored)
    splits = [
        SplitPart(of, paired_pictures(of), _groups(of, kind, shots)) for of in comparison.splits
    ]
    return html_page(
        "compare.html",
        runs=[(x, title(run)) for x, run in (("a", comparison.a), ("b", comparison.b))],
        names=[comparison.a.name, comparison.b.name],
        notes=comparison.notes,
        params=comparison.params,
        inputs=comparison.inputs,
        splits=splits,
        score_names=SCORES,
        kinds=KIND,
        view=KIND[kind],
        thumbnail_rules=shots.thumbnails.rules(),
    )


@dataclass(frozen=True)
class _Shots:
    """Makes a Shot of a picture."""

    paths: Mapping[str, str]
    thumbnails: Thumbnails
    stored: Collection[str]

    def of(self, picture: str, row: pd.Series) -> Shot:
        path = self.paths.get(picture, picture)
        said = [
            (x, _said(row[f"said_{x}"], row[f"p_said_{x}"]), bool(row[f"right_{x}"])) for x in "ab"
        ]
        number = self.thumbnails.number(picture) if picture in self.stored else None
        return Shot(number, PurePosixPath(path).name, path, _names(row["labels"]), said)


def _groups(of: SplitComparison, kind: Kind, shots: _Shots) -> list[Group]:
    """The pictures that a alone gets right, and those of b; no group is empty."""
    if not of.pictures:
        return []
    both: tuple[Which, Which] = ("a", "b")
    groups = []
    for which in both:
        table = of.one_right(kind, which)
        if table.empty:
            continue
        shown = [shots.of(str(picture), row) for picture, row in table.head(N_PICTURES).iterrows()]
        note = f"The first {N_PICTURES}." if len(table) > N_PICTURES else ""
        groups.append(Group(f"Only {which} is right: {len(table):,}", shown, note))
    return groups


def _said(labels: tuple[str, ...], p: float) -> str:
    return _names(labels) if pd.isna(p) else f"{_names(labels)} {p:.2f}"


def _names(labels: tuple[str, ...]) -> str:
    return ", ".join(labels) or "no label"
