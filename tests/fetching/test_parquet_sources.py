"""Which folders of Parquet files are data sets of pictures; how splits and columns are found."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.fetching.image_sources import read_images_source, that_stays
from headstart.fetching.parquet_columns import Columns
from headstart.fetching.parquet_sources import ParquetImages, find_parquet
from headstart.project.located import SourceError, UserPath
from tests.indexed import picture
from tests.parquets import IMAGE, cells, write_parquet

CATS = {"label": ["cat", "dog"]}
TWO = [picture(0), picture(1)]


def put(root: Path, *paths: str, **more: Any) -> Path:
    for path in paths:
        write_parquet(root / path, TWO, CATS, **({"label": [0, 1]} | more))
    return root


def found(root: Path) -> ParquetImages:
    data_set = find_parquet(root)
    assert data_set is not None
    return data_set


def test_a_folder_of_shards(tmp_path: Path) -> None:
    put(tmp_path, "data/train-00000-of-00002.parquet", "data/train-00001-of-00002-0a1b.parquet")
    put(tmp_path, "data/validation-00000-of-00001.parquet", "data/extra-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text("a card")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache/thumb.png").write_bytes(TWO[0])
    source = found(tmp_path)
    assert [file.split for file in source.files] == ["extra", "train", "train", "valid"]
    assert {file.columns for file in source.files} == {Columns("image", "label", ("cat", "dog"))}
    assert source.n_rows == 8
    assert read_images_source(str(tmp_path)) == source
    assert that_stays(source, copy=False) is None


@pytest.mark.parametrize(
    ("paths", "splits"),
    [
        (["train.parquet", "test_0.parquet"], ["test", "train"]),
        (["default/train/0000.parquet", "default/val/0000.parquet"], ["train", "valid"]),
        (["0000.parquet", "0001.parquet"], ["train", "train"]),
        (["data-00000-of-00002.parquet", "data-00001-of-00002.parquet"], ["train", "train"]),
    ],
)
def test_the_splits_of_files(tmp_path: Path, paths: list[str], splits: list[str]) -> None:
    assert [file.split for file in found(put(tmp_path, *paths)).files] == splits


@pytest.mark.parametrize(
    ("paths", "ends"),
    [
        (
            ["a/train.parquet", "b/train.parquet"],
            "holds several data sets in the folders a, b: set it to one of them.",
        ),
        (
            ["train.parquet", "more.parquet"],
            "more.parquet says no split, but those of others do: call it such as train-1.parquet.",
        ),
        (
            ["test.parquet", "val.parquet"],
            "have the splits test, valid, but none is train: call those to train on such as "
            "train-1.parquet.",
        ),
        (["day-00000-of-00001.parquet", "night-00000-of-00001.parquet"], "train-1.parquet."),
    ],
)
def test_files_that_are_not_one_data_set(tmp_path: Path, paths: list[str], ends: str) -> None:
    with pytest.raises(SourceError) as error:
        find_parquet(put(tmp_path, *paths))
    assert str(error.value).startswith("dataset.source: ") and str(error.value).endswith(ends)


def test_everything_else_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert find_parquet(tmp_path) is None
    pq.write_table(pa.table({"file_name": ["a.png"], "label": ["cat"]}), tmp_path / "l.parquet")
    (tmp_path / "b.parquet").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert find_parquet(tmp_path) is None
    beside = put(tmp_path / "beside", "train.parquet")
    (beside / "IMG_1").write_bytes(TWO[0])
    assert find_parquet(beside) is None
    assert read_images_source(str(beside)) == UserPath(beside)


def test_sound_and_bytes_alone_are_no_pictures(tmp_path: Path) -> None:
    rows = pa.array([{"bytes": b"RIFF....WAVE", "path": "a.wav"}], IMAGE)
    pq.write_table(pa.table({"audio": rows, "label": ["cat"]}), tmp_path / "train.parquet")
    assert find_parquet(tmp_path) is None
    pq.write_table(pa.table({"image": [TWO[0]], "label": ["cat"]}), tmp_path / "train.parquet")
    assert find_parquet(tmp_path) is None
    pq.write_table(pa.table({"image": cells([None, TWO[0]]), "label": [1, 1]}),
                   tmp_path / "train.parquet")  # fmt: skip
    assert found(tmp_path).n_rows == 2


def test_a_file_beside_that_is_damaged_or_has_no_pictures(tmp_path: Path) -> None:
    put(tmp_path, "train.parquet")
    (tmp_path / "test.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=r"test\.parquet is a damaged Parquet file: "):
        find_parquet(tmp_path)
    pq.write_table(pa.table({"label": ["cat"]}), tmp_path / "test.parquet")
    with pytest.raises(
        SourceError, match=r"test\.parquet holds no pictures, as those beside it do"
    ):
        find_parquet(tmp_path)


@pytest.mark.parametrize(
    ("names", "columns", "expected"),
    [
        ({}, {"label": ["a", "b"]}, ("image", "label", ())),
        (None, {"labels": [3, 4]}, ("image", "labels", ())),
        (None, {"labels": [3, 4], "label": ["a", "b"]}, ("image", "label", ())),
        ({"breed": ["pug"]}, {"breed": [0, 0], "age": [1, 2]}, ("image", "breed", ("pug",))),
        ({"from": ["web"]}, {"from": [0, 0], "label": ["a", "b"]}, ("image", "label", ())),
        (CATS, {"label": [0, 1], "mask": cells(TWO)}, ("image", "label", ("cat", "dog"))),
        (
            None,
            {"label": pa.array(["a", "b"]).dictionary_encode()},
            ("image", "label", ()),
        ),
        (None, {"label": [0.0, None]}, ("image", "label", ())),
        ({"breed": ["pug"]}, {"breed": [0, 0], "label": pa.nulls(2)}, ("image", "breed", ("pug",))),
        ({"breed": ["pug"]}, {"breed": [0, 0], "label": [0.5, 1]}, ("image", "breed", ("pug",))),
    ],
)
def test_the_columns(tmp_path: Path, names: Any, columns: Any, expected: Any) -> None:
    write_parquet(tmp_path / "train.parquet", TWO, names, **columns)
    assert found(tmp_path).files[0].columns == expected


@pytest.mark.parametrize(
    ("names", "columns", "ends"),
    [
        (
            {"coarse": ["a"], "fine": ["b", "c"]},
            {"coarse": [0, 0], "fine": [0, 1]},
            "has several columns of labels: coarse, fine. Did you mean fine? Call that one label in "
            "all files.",
        ),
        (
            {"breed": ["pug"]},
            {"labels": ["a", "b"], "breed": [0, 0]},
            "has several columns of labels: labels, breed. Did you mean breed? Call that one label "
            "in all files.",
        ),
        (
            None,
            {"breed": ["a", "b"]},
            "has no column label or labels (it has image, breed); did you mean breed? Call it label "
            "in all files.",
        ),
        (None, {"box": [[1.0], [2.0]]}, "write the pictures into files, and their labels into a "
         "table (docs/own_pictures.md)."),
        (None, {"label": pa.nulls(2)}, "has a column label without any label (type null): write the "
         "class of each picture into it; if the pictures are to be predicted, call the file such as "
         "test-1.parquet."),
        (None, {"label": pa.array([1, 2], pa.timestamp("s"))}, "has a column label of type "
         "timestamp[ms], which is no class: write classes as text or whole numbers."),
        (None, {"labels": [[1], [2, 3]]}, "has a column labels with several labels a picture, which "
         "are not read from Parquet: write the pictures into files, and their labels into a table "
         "(docs/own_pictures.md)."),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_told(tmp_path: Path, names: Any, columns: Any, ends: str) -> None:
    write_parquet(tmp_path / "train.parquet", TWO, names, **columns)
    with pytest.raises(SourceError) as error:
        find_parquet(tmp_path)
    assert str(error.value).startswith(f"dataset.source: {tmp_path / 'train.parquet'} has ")
    assert str(error.value).endswith(ends) and "\n" not in str(error.value)


def test_several_columns_of_pictures(tmp_path: Path) -> None:
    table = pa.table({"left": cells(TWO), "right": cells(TWO), "label": [0, 1]})
    pq.write_table(table, tmp_path / "train.parquet")
    with pytest.raises(SourceError, match=r"of pictures: left, right\. Did you mean left\? Call"):
        find_parquet(tmp_path)


def test_test_may_have_no_labels(tmp_path: Path) -> None:
    put(tmp_path, "train.parquet")
    for columns in ({}, {"label": pa.nulls(2)}):
        write_parquet(tmp_path / "test.parquet", TWO, **columns)
        assert found(tmp_path).files[0].columns == ("image", "", ())


@pytest.mark.parametrize("said", [b"{", b"[]", b'{"info": 3}', b"[" * 100_000])
def test_a_schema_that_says_nonsense_says_nothing(tmp_path: Path, said: bytes) -> None:
    table = pa.table({"image": cells(TWO), "label": [0, 1]})
    table = table.replace_schema_metadata({b"huggingface": said})
    pq.write_table(table, tmp_path / "train.parquet")
    assert found(tmp_path).files[0].columns == ("image", "label", ())
