"""Planted copies in real pictures: of the default, and of the sets in HEADSTART_REAL_DATA."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.near_duplicates import WAYS, row_of

from headstart.fetching.image_sources import PackageImages, read_images_source
from headstart.image_files.tree import list_tree
from headstart.project.located import locate
from tests.indexed import Files, index

CROPS = ["85 % anywhere", "and mirrored"]
LEAST = dict.fromkeys(WAYS, 0.98) | dict.fromkeys(["x 1.3", *CROPS], 0.8) | {"at once": 0.8}
# At half size and JPEG 20, flat forest keeps 16 x 16 levels with steps of 5, which is all it has.
OF_PLANET = {"half, JPEG 20": 0.9}
OWN = {"dogscats": 1, "dogbreeds": 1, "planet": 0}  # looked at
REAL_DATA = Path(os.environ.get("HEADSTART_REAL_DATA", "/absent"))


@pytest.fixture
def textile(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repo_root)
    source = read_images_source("sources/textile.yaml")
    assert isinstance(source, PackageImages)
    return locate(source)


def held(folder: Path, n_own: int, least: dict[str, float]) -> str:
    cells, own = row_of(folder)
    _, n, _, n_named, *shares, n_false = cells
    reached = {way: float(share) for way, share in zip(LEAST, shares, strict=True)}
    assert int(n_named) == len(own) == n_own
    assert [way for way, share in reached.items() if share < least[way]] == []
    assert int(n_false) <= len(LEAST) * int(n.replace(",", "")) / 1000
    listed = ", ".join(f"{way} {share:.3f}" for way, share in reached.items())
    return (
        f"{folder.name}: {listed}; {n_false} false pairs in {len(LEAST)} searches of {n} pictures"
    )


@pytest.mark.long
def test_copies_of_textile(textile: Path, figures: Callable[[str], None]) -> None:
    figures(held(textile, 0, LEAST))


@pytest.mark.long
@pytest.mark.parametrize("name", OWN)
def test_copies_of_photographs(name: str, figures: Callable[[str], None]) -> None:
    if not (REAL_DATA / name).is_dir():
        pytest.skip(f"HEADSTART_REAL_DATA names no folder with {name}/")
    least = LEAST | (OF_PLANET if name == "planet" else {})
    figures(held(REAL_DATA / name, OWN[name], least))


@pytest.mark.long
def test_the_split_of_the_default_stays_as_it_was(textile: Path) -> None:
    files: Files = {path: (textile / path).read_bytes() for path in list_tree(textile).sizes}
    found, without = (
        index(files, split="stratified", near_duplicates=value) for value in ("together", "off")
    )
    assert found.near is not None and found.near.empty
    assert found.labels.table.equals(without.labels.table)
