"""Near duplicates are searched for once among the same pictures, whatever their labels and names."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import ImageOps

from headstart.indexing import near_once
from headstart.indexing.near_duplicates import Near, find_near_duplicates
from headstart.kept.records import known_records
from headstart.pictures.facts import facts_key
from headstart.project.report import Report
from tests.indexed import Files, index
from tests.scenes import encoded, scene


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pictures of each search."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    found: list[int] = []

    def search(signatures: NDArray[np.float16], report: Report) -> list[Near] | None:
        found.append(len(signatures))
        return find_near_duplicates(signatures, report)

    monkeypatch.setattr(near_once, "find_near_duplicates", search)
    return found


def files_of(n: int) -> Files:
    files = {f"{'ab'[i % 2]}/{i}.jpg": encoded(scene(i)) for i in range(n)}
    return files | {"a/mirrored.png": encoded(ImageOps.mirror(scene(0)), "PNG")}


def test_a_corrected_label_searches_nothing_and_a_new_picture_does(searched: list[int]) -> None:
    files = files_of(20)
    moved = {path.replace("b/3", "a/of b 3"): data for path, data in files.items()}
    found = []
    for some in (files, files, moved, files_of(21)):
        with known_records(facts_key()) as earlier:
            found.append(index(some, split="stratified", earlier=earlier).near)
    assert searched == [21, 22]
    assert found[0] is not None and found[0]["kind"].tolist() == ["mirrored"]
    assert found[1] is not None and found[2] is not None
    pd.testing.assert_frame_equal(found[1], found[0])
    pd.testing.assert_frame_equal(found[2], found[0])


def test_that_pictures_are_too_similar_is_remembered_too(
    searched: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.indexing.near_duplicates.MANY", 0)
    for _ in range(2):
        with known_records(facts_key()) as earlier:
            assert index(files_of(20), split="stratified", earlier=earlier).near is None
    assert len(searched) == 1
