"""What checkpoints said comes back as it was, to the bit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from headstart.prediction.stored_views import StoredViews, read_views, write_views
from headstart.project.errors import HeadstartError


def make(n_views: int = 2, ids: str = "bca") -> StoredViews:
    rows = pd.DataFrame({"id": list(ids), "split": ["valid", "valid", "test"][: len(ids)]})
    rng = np.random.default_rng(0)
    shape = (1 + n_views, len(ids), 2)
    names = ("head", "augmented", "finetuned")
    return StoredViews(
        ("ä", "b.c"), "multi_label", rows.astype(str), {name: rng.random(shape) for name in names}
    )


@pytest.mark.parametrize("n_views", [0, 3])
@pytest.mark.parametrize("ids", ["bca", ""])
def test_they_come_back(tmp_path: Path, n_views: int, ids: str) -> None:
    written = make(n_views, ids)
    write_views(tmp_path / "new/views", written)
    read = read_views(tmp_path / "new/views")
    assert (read.classes, read.task, read.final) == (("ä", "b.c"), "multi_label", "finetuned")
    assert list(read.probabilities) == ["head", "augmented", "finetuned"]
    assert read.rows.equals(written.rows) and read.rows.dtypes.equals(written.rows.dtypes)
    for name, probabilities in written.probabilities.items():
        assert read.probabilities[name].tobytes() == probabilities.tobytes()
        assert read.probabilities[name].shape == probabilities.shape
        # the bits of a sum over views depend on how they lie in memory
        assert read.probabilities[name].flags.c_contiguous
    assert sorted(file.name for file in (tmp_path / "new/views").iterdir()) == [
        "about.json", "augmented.parquet", "finetuned.parquet", "head.parquet",
    ]  # fmt: skip


def test_a_row_of_a_file_is_a_picture(tmp_path: Path) -> None:
    views = make()
    write_views(tmp_path, views)
    second = pq.read_table(tmp_path / "augmented.parquet").to_pylist()[1]
    expected = views.probabilities["augmented"][:, 1].tolist()
    assert second == {"id": "c", "split": "valid", "views": expected}


def test_the_same_views_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_views(tmp_path / name, make())
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_what_is_not_complete_or_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"has no about\.json: run `dvc repro predict-views`"):
        read_views(tmp_path)
    write_views(tmp_path / "other", make(ids="bc"))
    write_views(tmp_path / "views", make())
    (tmp_path / "other/head.parquet").replace(tmp_path / "views/head.parquet")
    with pytest.raises(HeadstartError, match="the files hold different pictures"):
        read_views(tmp_path / "views")
