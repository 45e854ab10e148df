"""The pictures of a report: contact sheets as figures, and the same pictures on the page.

Axis letters: N images, K classes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from headstart.reporting.class_confusion import ClassConfusion
from headstart.reporting.confusion import Pick, Remark
from headstart.reporting.confusion_figures import Tile, contact_sheet_figure
from headstart.reporting.label_confusion import LabelConfusion
from headstart.reporting.thumbnails import Thumbnails

Confusion = ClassConfusion | LabelConfusion

N_PAIRS_WITH_PICTURES = 12
"""The other pairs are listed without pictures."""


class Shot(NamedTuple):
    """One picture on the page."""

    number: int
    """Of its thumbnail."""
    heat: int
    """Of its overlay."""
    right: bool
    remarks: list[Remark]
    path: str
    name: str
    """The file's name, the last part of its path."""


class Group(NamedTuple):
    """The pictures of one class."""

    name: str
    shots: list[Shot]


class Sheet(NamedTuple):
    """The pictures under one heading."""

    heading: str
    text: str
    groups: list[Group]
    without: list[str]
    """Classes that were asked for, and have no such picture."""


class Pair(NamedTuple):
    """A class, and the one that is predicted in its place; an example of each, where there is one."""

    actual: str
    predicted: str
    n: int
    share: float
    """Of the class `actual`, in (0, 1]."""
    of_actual: Shot | None
    mistaken: Shot | None
    of_predicted: Shot | None


@dataclass(frozen=True)
class Album:
    """Pictures of labelled predictions."""

    confusion: Confusion
    classes: Sequence[str]
    """(K)"""
    ids: Sequence[str]
    """(N)"""
    paths: Mapping[str, str]
    """Path of one file of each picture, by id."""
    thumbnails: Thumbnails

    def figure(self, pick: Pick, n: int, heading: str) -> Figure:
        """A contact sheet: one row per class, of at most `n` pictures."""
        rows = [
            (name, [self._tile(row, number) for row in picked])
            for number, (name, picked) in enumerate(self._picked(pick, n))
        ]
        return contact_sheet_figure(rows, heading)

    def sheet(self, pick: Pick, n: int, heading: str, text: str, shown: Collection[int]) -> Sheet:
        """The same pictures for the page, of the classes with the numbers `shown`, in this order."""
        of_classes = self._picked(pick, n)
        groups = [
            Group(of_classes[number][0], [self._shot(row, number) for row in of_classes[number][1]])
            for number in shown
        ]
        filled, without = (
            [group for group in groups if group.shots],
            [group.name for group in groups if not group.shots],
        )
        return Sheet(heading, text, filled, without)

    def pairs(self, pairs: pd.DataFrame) -> list[Pair]:
        """The first pairs with pictures: the surest mistake, the most correct picture of either class.

        Args:
            pairs: as confused_pairs returns them
        """
        events, first = self.confusion.events(), self._picked("most_correct", 1)
        numbers = {name: number for number, name in enumerate(self.classes)}
        found = []
        for actual, predicted, n, share in pairs.head(N_PAIRS_WITH_PICTURES).to_numpy(object):
            such = (events["actual"] == actual) & (events["predicted"] == predicted)
            mistakes = events.loc[such, "p_predicted"].sort_values(ascending=False, kind="stable")
            of_actual, of_predicted = numbers[actual], numbers[predicted]
            shots = (
                self._shot(rows[0], number) if rows else None
                for rows, number in (
                    (first[of_actual][1], of_actual),
                    (mistakes.index.tolist(), of_actual),
                    (first[of_predicted][1], of_predicted),
                )
            )
            found.append(Pair(actual, predicted, n, share, *shots))
        return found

    def _picked(self, pick: Pick, n: int) -> list[tuple[str, list[int]]]:
        """For each class, its name and the rows of up to `n` of its pictures."""
        of_classes = zip(self.classes, self.confusion.picked(pick, n), strict=True)
        return [(name, [int(row) for row in rows]) for name, rows in of_classes]

    def _tile(self, row: int, number: int) -> Tile:
        picture = self.ids[row]
        caption = f"{self.confusion.caption(row, number)}\n{self._name(picture)[-26:]}"
        right = self.confusion.right(row, number)
        return Tile(self.thumbnails.pixels(picture), caption, right)

    def _shot(self, row: int, number: int) -> Shot:
        picture = self.ids[row]
        return Shot(
            self.thumbnails.number(picture),
            self.thumbnails.heat(picture, self.confusion.explained(row, number)),
            self.confusion.right(row, number),
            self.confusion.remarks(row, number),
            self.paths[picture],
            self._name(picture),
        )

    def _name(self, picture: str) -> str:
        return PurePosixPath(self.paths[picture]).name
