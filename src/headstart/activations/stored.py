"""Cached features of one or more input sizes.

Each size has a memory-mapped array, the ids of its rows, and a manifest with the array's digest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from headstart.activations.rows import FeatureRows
from headstart.backbone.forms import PLAIN, WrittenOptions, WrittenPool
from headstart.backbone.frame import Frame
from headstart.backbone.precision import Precision
from headstart.backbone.sizes import Size, px
from headstart.pictures.preprocessing import Preprocessing
from headstart.project.errors import HeadstartError
from headstart.project.files import read_json
from headstart.project.parquet import read_parquet
from headstart.project.seals import DamagedError, content_digest, damage_of

SIZES = "sizes.json"
DIGEST = "features"
"""The key of a manifest under which the digest of features.npy is."""


class Manifest(BaseModel):
    """Everything that determines the features of one size.

    Attributes:
        architecture: timm's name of the backbone.
        options: how timm builds it.
        pool: how its features become one vector.
        weights: digest of the backbone's tensors.
        mean: per channel, of inputs in [0, 1].
        std: standard deviation per channel.
        size_px: side of the square input.
        frame: what the plain view shows of a picture.
        preprocessing: what a picture file went through before it was cropped.
        pictures: digest of the stored pictures.
        transform: "plain", or the `augment` section behind the views.
        seed: of the views.
        precision: of the forward pass.
        device: kind of device that computed the features.
        versions: of the packages that shaped them; {} if an older headstart computed them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    options: WrittenOptions = PLAIN
    pool: WrittenPool = "concat"
    weights: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size_px: int
    frame: Frame
    preprocessing: Preprocessing
    pictures: str
    transform: str | dict[str, object]
    seed: int | None = None
    precision: Precision
    device: str
    versions: dict[str, str] = {}


class ActivationsError(HeadstartError):
    """Cached activations are not what their reader expects."""


@dataclass(frozen=True)
class Activations:
    """The cached features of one size.

    Attributes:
        features: (V, N, D) float32, memory-mapped; V is 1 for the plain view.
        ids: (N) picture ids, sorted.
        manifest: everything that determines the features.
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

    def of(self, ids: Sequence[str]) -> FeatureRows:
        """Features (V, len(ids), D) of `ids`, which are read when they are indexed."""
        return FeatureRows(self.features, self.rows(ids))


@dataclass(frozen=True)
class SizedActivations:
    """The cache of all sizes.

    Attributes:
        full_px: backbone.size_px, cached or not.
        by_size: activations by input size, px, in the order of backbone.cached_px.
    """

    full_px: int
    by_size: Mapping[int, Activations]

    def first(self) -> Activations:
        """Activations of the size at which the head's training starts."""
        return next(iter(self.by_size.values()))

    def at(self, size: Size, key: str) -> Activations:
        """Activations of `size`, which params.yaml states under the dotted `key`.

        Raises:
            ActivationsError: the size is not cached.
            ValueError: the size is larger than backbone.size_px.
        """
        size_px = px(size, self.full_px, key)
        if size_px not in self.by_size:
            raise ActivationsError(
                f"{key} is {size}, but activations of this size are not cached: backbone.cached_px "
                f"stands for {', '.join(map(str, self.by_size))} px; add the size there."
            )
        return self.by_size[size_px]


def read_activations(folder: Path, **expected: object) -> SizedActivations:
    """Open a cache whose manifests have the `expected` values.

    Raises:
        ActivationsError: the folder is no cache, or a manifest differs from `expected`; the message
            names each key with both values.
        DamagedError: a file is damaged; each is read once for this check.
    """
    try:
        about = read_json(folder / SIZES)
    except FileNotFoundError:
        raise ActivationsError(f"{folder} holds no activations (no {SIZES}).") from None
    sizes = {size: _read_size(folder / str(size), expected) for size in about["cached_px"]}
    return SizedActivations(about["full_px"], sizes)


def _read_size(folder: Path, expected: Mapping[str, object]) -> Activations:
    try:
        about = read_json(folder / "manifest.json")
        written = about.pop(DIGEST, None)
        manifest = Manifest.model_validate(about)
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
        raise ActivationsError(
            f"{folder} was computed with other settings: {'; '.join(differences)}."
        )
    file = folder / "features.npy"
    if written not in (None, content_digest(file)):
        raise DamagedError(file)
    with damage_of(file, ValueError, EOFError):
        features = np.load(file, mmap_mode="r")
    ids = read_parquet(folder / "rows.parquet")["id"].to_pylist()
    if features.shape[1] != len(ids):
        raise ActivationsError(f"{folder} has {features.shape[1]} rows for {len(ids)} pictures.")
    return Activations(features, ids, manifest)
