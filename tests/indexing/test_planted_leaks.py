"""Planted copies in real pictures: of the default, and of the sets in HEADSTART_REAL_DATA."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench.near_duplicates import WAYS, copies_of, generated, original, row_of, signatures_of

from headstart.fetching.image_sources import PackageImages, read_images_source
from headstart.image_files.tree import list_tree
from headstart.indexing import candidates
from headstart.indexing.candidates import find_candidates
from headstart.project.located import locate
from headstart.project.report import Silent
from tests.indexed import Files, index

CROPS = ["85 % anywhere", "and mirrored"]
LEAST = dict.fromkeys(WAYS, 0.98) | dict.fromkeys(["x 1.3", *CROPS], 0.8) | {"at once": 0.8}
# At half size and JPEG 20, flat forest keeps 16 x 16 levels with steps of 5, which is all it has.
OF_PLANET = {"half, JPEG 20": 0.9}
OWN = {"dogscats": 1, "dogbreeds": 1, "planet": 0}  # looked at
N_MANY = 30_000  # generated pictures around a set
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


def held_among_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Planted copies are candidates among generated pictures, so many that not all are compared."""
    files, signed = signatures_of(folder)
    copies = copies_of(files)
    for some in copies.values():
        signed |= some
    cells = {name: found for name, found in signed.items() if found is not None}
    monkeypatch.setattr(candidates, "ALL_PAIRS", N_MANY)
    signatures = np.concatenate([np.stack(list(cells.values())), generated(N_MANY)])
    found = find_candidates(signatures, Silent())
    assert found is not None
    pairs = {(one, other) for one, other in np.stack([found.whole, found.wider], 1).tolist()}
    number = {name: place for place, name in enumerate(cells)}
    shares = {}
    for way, some in copies.items():
        planted = [(number[original(name)], number[name]) for name in some if name in cells]
        shares[way] = sum(pair in pairs or pair[::-1] in pairs for pair in planted) / len(some)
    least = LEAST | (OF_PLANET if folder.name == "planet" else {})
    assert [way for way, share in shares.items() if share < least[way]] == []
    listed = ", ".join(f"{way} {share:.3f}" for way, share in shares.items())
    return f"{folder.name}: {listed}; {len(signatures):,} pictures"


@pytest.mark.long
def test_copies_of_textile_among_many(
    textile: Path, figures: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures(held_among_many(textile, monkeypatch))


@pytest.mark.long
@pytest.mark.parametrize("name", OWN)
def test_copies_of_photographs_among_many(
    name: str, figures: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (REAL_DATA / name).is_dir():
        pytest.skip(f"HEADSTART_REAL_DATA names no folder with {name}/")
    figures(held_among_many(REAL_DATA / name, monkeypatch))


@pytest.mark.long
def test_the_split_of_the_default_stays_as_it_was(textile: Path) -> None:
    files: Files = {path: (textile / path).read_bytes() for path in list_tree(textile).sizes}
    found, without = (
        index(files, split="stratified", near_duplicates=value) for value in ("together", "off")
    )
    assert found.near is not None and found.near.empty
    assert found.labels.table.equals(without.labels.table)
