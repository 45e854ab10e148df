from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.activations.computed import Computation, write_activations
from headstart.activations.stored import ActivationsError, Manifest, read_activations
from headstart.backbone.frame import Frame
from tests.small_networks import PREPROCESSING

IDS = ["a", "b", "c", "d", "e"]
VALUES = np.arange(2 * 5 * 3, dtype=np.float32).reshape(2, 5, 3)
MANIFEST = Manifest(
    architecture="net",
    weights="w",
    mean=(0, 0, 0),
    std=(1, 1, 1),
    size_px=32,
    frame=Frame("center", 1.0),
    preprocessing=PREPROCESSING,
    pictures="p",
    transform={"max_zoom": 1.1},
    seed=0,
    precision="float32",
    device="cpu",
)


def computation() -> Computation:
    return Computation(IDS, 2, 3, lambda view: VALUES[view], MANIFEST)


def write(folder: Path, *computations: Computation) -> dict[str, int]:
    return write_activations(folder, 32, computations or [computation()])


def test_a_cache_reads_back_memory_mapped(tmp_path: Path) -> None:
    counts = write(tmp_path / "views")
    assert (counts["n_pictures"], counts["n_views"], counts["n_sizes"]) == (5, 2, 1)
    read = read_activations(tmp_path / "views", weights="w", size_px=32).first()
    assert isinstance(read.features, np.memmap)
    assert np.array_equal(read.features, VALUES) and read.manifest == MANIFEST
    assert np.array_equal(np.array(read.of(["d", "a"])[1]), VALUES[1, [3, 0]])
    assert read.of(IDS).cached is read.features  # nothing is copied before it is read


def test_what_does_not_match_is_named_and_never_read(tmp_path: Path) -> None:
    write(tmp_path / "views")
    sentence = "weights is 'w', expected 'x'; size_px is 32, expected 64"
    with pytest.raises(ActivationsError, match=sentence):
        read_activations(tmp_path / "views", weights="x", size_px=64)
    with pytest.raises(ActivationsError, match="no activations"):
        read_activations(tmp_path / "nowhere")
    (tmp_path / "views/32/manifest.json").write_text("{}")
    with pytest.raises(ActivationsError, match="not readable"):
        read_activations(tmp_path / "views")


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name)
    one = tmp_path / "one"
    files = sorted(str(path.relative_to(one)) for path in one.rglob("*.*"))
    assert files == ["32/features.npy", "32/manifest.json", "32/rows.parquet", "sizes.json"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_unknown_pictures_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "views")
    with pytest.raises(ActivationsError, match=r"picture x \(2 of 3 are missing\)"):
        read_activations(tmp_path / "views").first().rows(["a", "x", "y"])


def test_each_size_has_its_own_cache_in_the_order_of_training(tmp_path: Path) -> None:
    small = replace(computation(), manifest=MANIFEST.model_copy(update={"size_px": 16}))
    larger = replace(computation(), rows=lambda view: VALUES[view] + 1)
    counts = write_activations(tmp_path / "views", 64, [small, larger])
    assert counts["n_sizes"] == 2 and counts["n_bytes"] > 2 * VALUES.nbytes
    read = read_activations(tmp_path / "views")
    assert read.full_px == 64 and list(read.by_size) == [16, 32]
    assert np.array_equal(read.first().features, VALUES)
    assert np.array_equal(read.at(32, "phases.0.size_px").features, VALUES + 1)
    with pytest.raises(ActivationsError, match=r"phases.1.size_px is full, .* for 16, 32 px"):
        read.at("full", "phases.1.size_px")
    with pytest.raises(
        ValueError, match=r"size_px is 65: it must be at most backbone.size_px \(64"
    ):
        read.at(65, "phases.1.size_px")
