from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.core.frame import Frame
from headstart.store.activations import (
    ActivationsError,
    Computation,
    Manifest,
    read_activations,
    write_activations,
)

IDS = ["a", "b", "c", "d", "e"]
VALUES = np.arange(2 * 5 * 3, dtype=np.float32).reshape(2, 5, 3)
MANIFEST = Manifest(
    architecture="net",
    weights="w",
    mean=(0, 0, 0),
    std=(1, 1, 1),
    size_px=32,
    frame=Frame("center", 1.0),
    pictures="p",
    transform={"max_zoom": 1.1},
    seed=0,
    precision="float32",
    device="cpu",
)


def chunks(n: int = 5) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    for view in range(2):
        yield view, 0, VALUES[view, :3]
        yield view, 3, VALUES[view, 3:n]


def computation(n: int = 5) -> Computation:
    return Computation(IDS, 2, 3, chunks(n), MANIFEST)


def test_a_cache_reads_back_memory_mapped(tmp_path: Path) -> None:
    counts = write_activations(tmp_path / "views", computation())
    assert (counts["n_pictures"], counts["n_views"]) == (5, 2)
    read = read_activations(tmp_path / "views", weights="w", size_px=32)
    assert isinstance(read.features, np.memmap)
    assert np.array_equal(read.features, VALUES) and read.manifest == MANIFEST
    assert np.array_equal(read.of(["d", "a"]), VALUES[:, [3, 0]])
    assert read.of(IDS) is read.features


def test_what_does_not_match_is_named_and_never_read(tmp_path: Path) -> None:
    write_activations(tmp_path / "views", computation())
    sentence = "weights is 'w', expected 'x'; size_px is 32, expected 64"
    with pytest.raises(ActivationsError, match=sentence):
        read_activations(tmp_path / "views", weights="x", size_px=64)
    with pytest.raises(ActivationsError, match="no activations"):
        read_activations(tmp_path / "nowhere")
    (tmp_path / "views/manifest.json").write_text("{}")
    with pytest.raises(ActivationsError, match="not readable"):
        read_activations(tmp_path / "views")


def test_a_computation_that_breaks_off_leaves_the_old_cache(tmp_path: Path) -> None:
    folder = tmp_path / "views"
    write_activations(folder, computation())
    with pytest.raises(ActivationsError, match="8 rows were computed, 2 x 5 are needed"):
        write_activations(folder, computation(4))
    assert np.array_equal(read_activations(folder).features, VALUES)


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_activations(tmp_path / name, computation())
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["features.npy", "manifest.json", "rows.parquet"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_unknown_pictures_are_counted(tmp_path: Path) -> None:
    write_activations(tmp_path / "views", computation())
    with pytest.raises(ActivationsError, match=r"picture x \(2 of 3 are missing\)"):
        read_activations(tmp_path / "views").rows(["a", "x", "y"])
