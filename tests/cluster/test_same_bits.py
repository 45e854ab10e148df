"""The files of the stages hold the same bytes with workers and without."""

import filecmp
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headstart.activations.computed import write_activations
from headstart.activations.frozen import FrozenBackbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.cluster import chosen
from headstart.cluster.jobs import Needs, Shard
from headstart.cluster.processes import Processes
from headstart.cluster.ray_workers import RayWorkers
from headstart.indexing.index import write_index
from headstart.kept.once import NothingKnown
from headstart.kept.records import rows_once
from headstart.kept.remembered import Remembered
from headstart.pictures.resized import ResizedPictures, write_resized
from headstart.project.report import Silent
from headstart.steps.precompute_activations import precompute_activations
from headstart.steps.precompute_views import PrecomputeViewsParams, precompute_views
from headstart.steps.resize import ResizeParams, resize
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures
from tests.indexed import index
from tests.scenes import encoded, scene
from tests.small_networks import SIZE, SQUARE, small_backbone

MUCH = AugmentParams(
    symmetry="top_down", crop="random", max_zoom=1.3, stretch=0.2, shift_px=5, rotate_deg=10.0,
    brightness=0.05, contrast=0.2, blur_px=2.0, cutout_frac=0.25,
)  # fmt: skip
N = 40  # four shards of 10, of which each is padded to a batch; a GPU needs whole batches of views


def run_stages(out: Path) -> None:
    """Index, resize, both precomputes; kept work and results lie in `out`."""
    files = {f"{'ab'[i % 2]}/{i}.jpg": encoded(scene(0 if i == 2 else i)) for i in range(N)}
    files["a/broken.jpg"] = b"none"
    found = index(files, NothingKnown(), split="stratified", on_problem="set_aside")
    names = ("pictures", "labels", "test_labels", "ids")
    write_index(found, *(out / f"{name}.parquet" for name in names))
    found.problems.to_csv(out / "problems.csv")
    ids = {hashlib.sha256(data).hexdigest()[:32]: path for path, data in files.items()}
    rows = [(i, ids[i]) for i in found.pictures["id"]]
    params = ResizeParams(size_px=64, codec="jpeg", quality=90)
    made = resize(rows, files, params, Silent(), Remembered())
    write_resized(out / "resized", made, params.manifest())
    stored = ResizedPictures(out / "resized")
    backbone = small_backbone().on(prepare(RuntimeParams(precision="auto", deterministic=True)))
    pictures = Pictures.of(stored, 64, SQUARE, backbone.compute.device).at(SIZE, Silent())
    look = FrozenBackbone(backbone, pictures, Silent(), rows_once(stored.sha256))
    plain = precompute_activations(look, stored.ids, stored.digest)
    write_activations(out / "plain", 64, [plain])
    views = PrecomputeViewsParams(n_views=2, seed=0)
    drawn = precompute_views(look, stored.ids, stored.digest, MUCH, views)
    write_activations(out / "views", 64, [drawn])


def assert_same_files(one: Path, two: Path) -> None:
    files = [
        str(file.relative_to(one))
        for file in one.rglob("*")
        if file.is_file() and ".headstart" not in file.parts
    ]
    assert {"resized/pictures.arrow", f"plain/{SIZE}/features.npy"} < set(files)
    assert filecmp.cmpfiles(one, two, files, shallow=False) == (files, [], [])
    assert np.load(one / f"views/{SIZE}/features.npy").shape[0] == 2


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that this process makes alone."""
    out = tmp_path_factory.mktemp("plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(out))
        run_stages(out)
    return out


def count(monkeypatch: pytest.MonkeyPatch, kind: type) -> list[int]:
    """The number of pictures of each shard that workers of this kind are given from now on."""
    sizes: list[int] = []
    submit = kind.submit  # type: ignore[attr-defined]

    def counted(self: object, key: str, shard: Shard, needs: Needs) -> object:
        sizes.append(len(shard.names))
        return submit(self, key, shard, needs)

    monkeypatch.setattr(kind, "submit", counted)
    return sizes


def test_processes_compute_the_same_bytes(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]
) -> None:
    monkeypatch.setenv("HEADSTART_PROCS", "2")
    monkeypatch.setattr(chosen, "N_PICTURES", 10)
    chosen._processes.cache_clear()
    sizes = count(monkeypatch, Processes)
    run_stages(tmp_path)
    assert_same_files(plain, tmp_path)
    assert sizes == 3 * [10, 10, 10, 9], "one plain view and two drawn ones"
    workers = chosen._processes(2)
    assert isinstance(workers, Processes)
    workers.close()
    figures("features of 3 views by 2 processes, the same bytes")


@pytest.mark.parametrize("shared", ["0", pytest.param("1", marks=pytest.mark.long)])
def test_ray_makes_the_same_bytes(
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: Callable[[str], None],
    shared: str,
) -> None:
    ray = pytest.importorskip("ray", reason="pip install 'headstart[ray]'")
    monkeypatch.setenv("HEADSTART_RAY", "local")
    monkeypatch.setattr(chosen, "N_PICTURES", 10)
    chosen._ray.cache_clear()
    workers = chosen._ray("local")
    monkeypatch.setattr(workers, "ships", shared == "0")
    sizes = count(monkeypatch, RayWorkers)
    run_stages(tmp_path)
    assert_same_files(plain, tmp_path)
    assert sizes[:8] == [10, 10, 10, 10, 10, 10, 10, 9], "index, then resize"
    assert sum(sizes) == 40 + 39 + 39 + 39 * 3, "the smaller copies are made there too"
    ray.shutdown()
    figures("index, resize and 3 views by Ray, the same bytes of all files")
