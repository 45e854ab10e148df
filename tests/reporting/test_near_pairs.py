"""Pairs of near duplicates on the page."""

from pathlib import Path

import pandas as pd
from PIL import Image

from headstart.indexing.near_splits import COLUMNS
from headstart.project.files import write_csv
from headstart.reporting.near_pairs import N_SHOWN, near_pairs, read_near
from headstart.reporting.thumbnails import Thumbnails

ROWS = [
    ("a/1.jpg", "b/2.jpg", "copy", 0.99, "train", "train", "a", "b", ""),
    ("a/3.jpg", "t/4.jpg", "mirrored", 0.9, "train", "test", "a", "a", "a/3.jpg"),
    ("a/5.jpg", "t/NA.jpg", "cropped", 0.8, "train", "test", "a", "", ""),
    ("a/1.jpg", "a/5.jpg", "copy", 0.99, "train", "train", "a", "a", ""),
]
IDS = {"1": "a/1.jpg", "2": "b/2.jpg", "4": "t/4.jpg", "5": "a/5.jpg", "6": "t/NA.jpg"}


def test_each_picture_is_embedded_once_and_one_set_aside_has_none(tmp_path: Path) -> None:
    write_csv(tmp_path / "near.csv", pd.DataFrame(ROWS, columns=COLUMNS))
    thumbnails = Thumbnails(lambda _: Image.new("RGB", (4, 4)))
    found = near_pairs(read_near(tmp_path / "near.csv"), IDS, thumbnails)
    assert [[one.number for one in pair.both] for pair in found] == [
        [0, 1], [None, 2], [3, 4], [0, 3],
    ]  # fmt: skip
    assert [pair.wrong for pair in found] == [True, False, True, False]
    assert found[2].both[1][1:] == ("t/NA.jpg", "NA.jpg", "test", "", False)
    assert [one.set_aside for one in found[1].both] == [True, False]
    assert len(thumbnails.rules()) == 5


def test_without_pictures_those_set_aside_are_still_known() -> None:
    found = near_pairs(pd.DataFrame(ROWS, columns=COLUMNS), IDS, None)
    assert {one.number for pair in found for one in pair.both} == {None}
    assert [one.path for pair in found for one in pair.both if one.set_aside] == ["a/3.jpg"]


def test_a_page_shows_some_and_none_is_read_as_none(tmp_path: Path) -> None:
    many = pd.DataFrame(ROWS * 20, columns=COLUMNS)
    assert len(near_pairs(many, {}, Thumbnails(lambda _: Image.new("RGB", (4, 4))))) == N_SHOWN
    write_csv(tmp_path / "near.csv", many.head(0))
    assert (
        near_pairs(
            read_near(tmp_path / "near.csv"), IDS, Thumbnails(lambda _: Image.new("RGB", (4, 4)))
        )
        == []
    )
