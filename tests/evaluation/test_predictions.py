"""Predictions come back as they were; what does not fit together is not written."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.evaluation.predictions import Kind, Predictions, read_predictions, write_predictions

KINDS: dict[Kind, float] = {"plain": 1 / 2, "tta": 1 / 0.5}
"""By kind, the power that a temperature of 2 and of 0.5 means."""


def make(n_views: int = 2, splits: tuple[str, ...] = ("valid", "valid", "test")) -> Predictions:
    n = len(splits)
    views = np.random.default_rng(0).dirichlet(np.ones(2), (1 + n_views, n))
    targets = pd.Series([[1], None, [0]][:n], dtype=object)
    table = pd.DataFrame({"id": list("bca")[:n], "split": list(splits), "targets": targets})
    return Predictions(("ä", "b.c"), table, views, views.mean(axis=0))


@pytest.mark.parametrize("n_views", [0, 3])
@pytest.mark.parametrize("splits", [("valid", "valid", "test"), ()])
def test_they_come_back(tmp_path: Path, n_views: int, splits: tuple[str, ...]) -> None:
    path, written = tmp_path / "new" / "p.parquet", make(n_views, splits)
    write_predictions(path, written)
    read = read_predictions(path)
    assert read.classes == written.classes
    assert read.table.astype(object).to_dict("list") == written.table.astype(object).to_dict("list")
    assert read.table["targets"].tolist() == [[1], None, [0]][: len(splits)]
    assert (read.views == written.views).all() and read.views.shape == written.views.shape
    assert (read.tta == written.tta).all()
    assert [p.name for p in path.parent.iterdir()] == ["p.parquet"]


def test_the_columns_are_those_that_others_rely_on(tmp_path: Path) -> None:
    path, written = tmp_path / "p.parquet", make()
    write_predictions(path, written)
    table = pq.read_table(path)
    lists = pa.list_(pa.float64())
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "id": pa.string(),
        "split": pa.string(),
        "targets": pa.list_(pa.int64()),
        "plain": lists,
        "tta": lists,
        "views": pa.list_(lists),
        "mean_of_views": lists,
    }
    second = table.to_pylist()[1]
    assert second["targets"] is None
    assert second["plain"] == written.views[0, 1].tolist()
    assert second["views"] == written.views[:, 1].tolist()
    assert second["tta"] == written.tta[1].tolist()


def test_calibrated_probabilities_are_those_of_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    written = replace(make(), temperatures={"plain": 2.0, "tta": 0.5})
    written = replace(written, table=written.table.assign(group=["x", "x", "y"]))
    write_predictions(path, written)
    read = read_predictions(path)
    assert read.temperatures == written.temperatures and read.folds().tolist() == [0, 0, 0]
    assert (read.views == written.views).all() and (read.tta == written.tta).all()
    columns = pq.read_table(path).to_pydict()
    for kind, power in KINDS.items():
        expected = read.uncalibrated(kind) ** power
        expected /= expected.sum(axis=1, keepdims=True)
        assert np.array(columns[kind]) == pytest.approx(expected) == read.probabilities(kind)
    assert columns["mean_of_views"] == written.tta.tolist()


def test_a_file_from_before_there_were_temperatures_can_be_read(tmp_path: Path) -> None:
    path, written = tmp_path / "p.parquet", make()
    write_predictions(path, written)
    table = pq.read_table(path).drop_columns(["mean_of_views"])
    about = {k: v for k, v in table.schema.metadata.items() if k != b"temperatures"}
    pq.write_table(table.replace_schema_metadata(about), path)
    read = read_predictions(path)
    for kind in KINDS:
        assert (read.probabilities(kind) == written.probabilities(kind)).all()
    assert read.temperatures == {}


def test_a_part_keeps_rows_together() -> None:
    whole = make()
    part = whole.where(whole.table["targets"].notna().to_numpy(bool))
    assert part.table["id"].tolist() == ["b", "a"]
    assert (part.views == whole.views[:, [0, 2]]).all()
    assert (part.probabilities("plain") == whole.views[0, [0, 2]]).all()
    assert (part.probabilities("tta") == whole.tta[[0, 2]]).all()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path, good = tmp_path / "p.parquet", make()
    with pytest.raises(ValueError, match=r"3 pictures of 2 classes .* found \(3, 2, 2\)"):
        write_predictions(path, replace(good, views=good.views[:, :2]))
    with pytest.raises(ValueError, match=r"and \(3, 1\)"):
        write_predictions(path, replace(good, tta=good.tta[:, :1]))
    for order in ([1, 0, 2], [2, 0, 1], [0, 0, 2]):
        table = good.table.iloc[order]
        with pytest.raises(ValueError, match="sorted by"):
            write_predictions(path, replace(good, table=table))
    assert not list(tmp_path.iterdir())


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(ValueError, match="is not a predictions file"):
        read_predictions(path)


def test_many_labels_come_back_with_their_thresholds(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    targets = pd.Series([[0, 1], None, []], dtype=object)
    thresholds: Mapping[Kind, tuple[float, ...]] = {"plain": (0.25, 0.5), "tta": (0.125, 0.75)}
    whole = make()
    written = replace(
        whole,
        table=whole.table.assign(targets=targets),
        task="multi_label",
        thresholds=thresholds,
    )
    write_predictions(path, written)
    read = read_predictions(path)
    assert (read.task, read.thresholds) == ("multi_label", thresholds)
    assert read.table["targets"].tolist() == [[0, 1], None, []]
    assert read.labelled("valid").multi_hot().tolist() == [[True, True]]
    assert read.labelled("test").multi_hot().tolist() == [[False, False]]
    assert len(read.labelled("train").table) == 0
