"""Activations on their way to disk, row by row as they are computed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from headstart.activations.stored import DIGEST, SIZES, Manifest
from headstart.kept.outs import Part
from headstart.project.beside import written_beside
from headstart.project.files import read_json, write_json
from headstart.project.parquet import write_parquet
from headstart.project.seals import content_digest


@dataclass(frozen=True)
class Computation:
    """Activations of one size that are computed as they are read.

    Attributes:
        ids: (N) picture ids, sorted.
        n_views: V.
        n_features: D.
        rows: number of a view -> a row (D) float32 for each picture, in the order of the ids.
        manifest: everything that determines the rows.
    """

    ids: Sequence[str]
    n_views: int
    n_features: int
    rows: Callable[[int], Iterable[NDArray[np.float32]]]
    manifest: Manifest


def write_activations(
    folder: Path, full_px: int, computations: Iterable[Computation]
) -> dict[str, int]:
    """Write one folder a size below `folder`, row by row, so that memory use stays constant.

    `folder` gets its name only after every row of every view of every size was written.

    Args:
        folder: where the cache of all sizes goes.
        full_px: backbone.size_px.
        computations: one for each size, in the order of backbone.cached_px.

    Returns:
        n_pictures, n_views, n_sizes, and n_bytes of all sizes, for metrics.

    Raises:
        ValueError: a computation's rows are not as many as its pictures, or a row has not D features.
    """
    sizes, counts, n_bytes = [], {}, 0
    with written_beside(folder) as partial:
        partial.mkdir()
        for computation in computations:
            sizes.append(computation.manifest.size_px)
            counts = _write_size(partial / str(sizes[-1]), computation)
            n_bytes += counts["n_bytes"]
        write_json(partial / SIZES, {"full_px": full_px, "cached_px": sizes}, sealed=True)
    return {**counts, "n_sizes": len(sizes), "n_bytes": n_bytes}


def row_places(folder: Path) -> Iterator[Part]:
    """Yield where the rows lie in the feature files: one part for each view of each size, in order."""
    for size in read_json(folder / SIZES)["cached_px"]:
        file = folder / str(size) / "features.npy"
        features = np.load(file, mmap_mode="r")
        n_views, n_pictures, n_features = features.shape
        row = n_features * features.itemsize
        first = file.stat().st_size - n_views * n_pictures * row
        for view in range(n_views):
            start = first + view * n_pictures * row
            yield Part(file, range(start, start + n_pictures * row, row), [row] * n_pictures)


def _write_size(folder: Path, computation: Computation) -> dict[str, int]:
    folder.mkdir()
    ids, n_views = computation.ids, computation.n_views
    shape = (n_views, len(ids), computation.n_features)
    header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": shape}
    # Not a memory map: its pages would count as this process's memory until the kernel wants them.
    with (folder / "features.npy").open("wb", buffering=2**20) as file:
        write_array_header_1_0(file, header)
        for view in range(n_views):
            for _, values in zip(ids, computation.rows(view), strict=True):
                if values.shape != shape[2:]:
                    raise ValueError(
                        f"a row of features has {values.shape}; it must be {shape[2:]}."
                    )
                file.write(values.astype(np.float32, copy=False).tobytes())
    write_parquet(folder / "rows.parquet", pa.table({"id": pa.array(list(ids), pa.string())}))
    about = computation.manifest.model_dump(mode="json")
    digest = {DIGEST: content_digest(folder / "features.npy")}
    write_json(folder / "manifest.json", about | digest, sealed=True)
    n_bytes = (folder / "features.npy").stat().st_size
    return {"n_pictures": len(ids), "n_views": n_views, "n_bytes": n_bytes}
