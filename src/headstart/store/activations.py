"""Cached features: one memory-mapped array, the ids of its rows, and a manifest of what shaped it."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from headstart.core.frame import Frame


class Manifest(BaseModel):
    """What shaped the bits of a cache.

    Attributes:
        architecture: timm's name of the backbone.
        weights: digest of the backbone's tensors.
        mean: per channel, of inputs in [0, 1].
        std: standard deviation per channel.
        size_px: side of the square input.
        frame: what the plain view shows of a picture.
        pictures: digest of the stored pictures.
        transform: "plain", or the `augment` section behind the views.
        seed: of the views.
        precision: of the forward pass.
        device: kind of device that computed them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    weights: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size_px: int
    frame: Frame
    pictures: str
    transform: str | dict[str, object]
    seed: int | None = None
    precision: str
    device: str


class ActivationsError(ValueError):
    """Cached activations are not what their reader expects."""


@dataclass(frozen=True)
class Activations:
    """A reader's view of the cache.

    Attributes:
        features: (V, N, D) float32, memory-mapped; V is 1 for the plain view.
        ids: (N) picture ids, sorted.
        manifest: what shaped the bits.
    """

    features: NDArray[np.float32]
    ids: Sequence[str]
    manifest: Manifest

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Row numbers of `ids`, in their order.

        Raises:
            ActivationsError: an id has no row.
        """
        rows = pd.Index(self.ids).get_indexer(pd.Index(ids))
        if (rows < 0).any():
            missing = ids[int(np.argmax(rows < 0))]
            raise ActivationsError(
                f"the cached activations have no row for picture {missing} "
                f"({int((rows < 0).sum())} of {len(ids)} are missing)."
            )
        return rows.astype(np.int64)

    def of(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """(V, len(ids), D) of these pictures; the whole map, uncopied, where they are all of it."""
        rows = self.rows(ids)
        if len(rows) == len(self.ids) and (rows == np.arange(len(rows))).all():
            return self.features
        return self.features[:, rows]


@dataclass(frozen=True)
class Computation:
    """Activations that are computed as they are read.

    Attributes:
        ids: (N) picture ids, sorted.
        n_views: V.
        n_features: D.
        chunks: (view, first row, (B, D)), every row of every view once.
        manifest: what shapes the bits.
    """

    ids: Sequence[str]
    n_views: int
    n_features: int
    chunks: Iterable[tuple[int, int, NDArray[np.float32]]]
    manifest: Manifest


def write_activations(folder: Path, computation: Computation) -> dict[str, int]:
    """Write `folder` chunk by chunk as they come; memory stays flat. Returns counts for metrics.

    The folder gets its name only when every row of every view was written.

    Raises:
        ActivationsError: the chunks do not fill the array.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    ids, n_views = computation.ids, computation.n_views
    shape = (n_views, len(ids), computation.n_features)
    features = open_memmap(partial / "features.npy", mode="w+", dtype=np.float32, shape=shape)
    n_written = 0
    for view, row, values in computation.chunks:
        features[view, row : row + len(values)] = values
        n_written += len(values)
    if n_written != n_views * len(ids):
        raise ActivationsError(
            f"{folder}: {n_written} rows were computed, {n_views} x {len(ids)} are needed."
        )
    features.flush()
    del features
    pd.DataFrame({"id": list(ids)}).to_parquet(partial / "rows.parquet", index=False)
    text = computation.manifest.model_dump_json(indent=2)
    (partial / "manifest.json").write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    n_bytes = (folder / "features.npy").stat().st_size
    return {"n_pictures": len(ids), "n_views": n_views, "n_bytes": n_bytes}


def read_activations(folder: Path, **expected: object) -> Activations:
    """Open a cache whose manifest has the `expected` values.

    Raises:
        ActivationsError: the folder is no cache, or its manifest says otherwise than expected; the
            sentence names each key with both values.
    """
    try:
        text = (folder / "manifest.json").read_text(encoding="utf-8")
        manifest = Manifest.model_validate_json(text)
    except FileNotFoundError:
        raise ActivationsError(f"{folder} holds no activations (no manifest.json).") from None
    except ValidationError as error:
        raise ActivationsError(f"{folder}/manifest.json is not readable: {error}") from None
    differences = [
        f"{key} is {getattr(manifest, key)!r}, expected {value!r}"
        for key, value in expected.items()
        if getattr(manifest, key) != value
    ]
    if differences:
        raise ActivationsError(f"{folder} was computed otherwise: {'; '.join(differences)}.")
    features = np.load(folder / "features.npy", mmap_mode="r")
    ids = pd.read_parquet(folder / "rows.parquet")["id"].tolist()
    if features.shape[1] != len(ids):
        raise ActivationsError(f"{folder} has {features.shape[1]} rows for {len(ids)} pictures.")
    return Activations(features, ids, manifest)
