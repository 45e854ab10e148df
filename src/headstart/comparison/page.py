"""Two runs side by side as one self-contained page, with the pictures on which they disagree."""

import base64
import io
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

import pandas as pd
from PIL import Image

from headstart.comparison.comparison import Comparison
from headstart.comparison.splits import SCORES, SplitComparison, Which
from headstart.comparison.text import KIND, paired_pictures, title
from headstart.evaluation.predictions import Kind
from headstart.reporting.html_page import html_page

Find = Callable[[str], Image.Image | None]
"""A picture's id -> the RGB picture; None if it is not at hand."""

N_PICTURES = 60
"""Most pictures in each group; a page of four full groups is about 2 MB."""
SIDE_PX = 176
"""Longer side of a thumbnail."""
QUALITY = 75
"""Of its JPEG, 1 to 95."""


class Shot(NamedTuple):
    """One picture, and what both runs say of it.

    Attributes:
        source: of the <img>; "" if the picture is not at hand.
        name: of its file; its id if no file is known.
        path: of its file, in the folder of pictures.
        actual: the true labels.
        said: of a and b: the predicted labels with their probability, and whether they are right.
    """

    source: str
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


def comparison_page(comparison: Comparison, kind: Kind, find: Find) -> str:
    """Build the page.

    Args:
        comparison: of two runs.
        kind: whose pictures are shown: those of the plain view, or of TTA.
        find: gives the pictures.
    """
    paths = {**comparison.b.paths, **comparison.a.paths}
    splits = [
        SplitPart(of, paired_pictures(of), _groups(of, kind, paths, find))
        for of in comparison.splits
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
    )


def _groups(of: SplitComparison, kind: Kind, paths: Mapping[str, str], find: Find) -> list[Group]:
    """The pictures that a alone gets right, and those of b; no group is empty."""
    if not of.pictures:
        return []
    both: tuple[Which, Which] = ("a", "b")
    groups = []
    for which in both:
        table = of.one_right(kind, which)
        shots = [
            _shot(str(picture), row, paths, find)
            for picture, row in table.head(N_PICTURES).iterrows()
        ]
        if not shots:
            continue
        note = f"The first {N_PICTURES}." if len(table) > N_PICTURES else ""
        groups.append(Group(f"Only {which} is right: {len(table):,}", shots, note))
    return groups


def _shot(picture: str, row: pd.Series, paths: Mapping[str, str], find: Find) -> Shot:
    image, path = find(picture), paths.get(picture, picture)
    said = [(x, _said(row[f"said_{x}"], row[f"p_said_{x}"]), bool(row[f"right_{x}"])) for x in "ab"]
    source = "" if image is None else _source(image)
    return Shot(source, PurePosixPath(path).name, path, _names(row["labels"]), said)


def _said(labels: tuple[str, ...], p: float) -> str:
    return _names(labels) if pd.isna(p) else f"{_names(labels)} {p:.2f}"


def _names(labels: tuple[str, ...]) -> str:
    return ", ".join(labels) or "no label"


def _source(image: Image.Image) -> str:
    small, buffer = image.copy(), io.BytesIO()
    small.thumbnail((SIDE_PX, SIDE_PX))
    small.save(buffer, "jpeg", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
