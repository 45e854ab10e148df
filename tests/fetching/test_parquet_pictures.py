"""Pictures out of Parquet files: their paths, and what is refused."""

import errno
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.fetching import parquet_pictures
from headstart.fetching.parquet_pictures import pictures_in, write_pictures
from headstart.fetching.parquet_sources import find_parquet
from headstart.fetching.remote_images import list_pictures, open_images
from headstart.fetching.shard_sources import list_tars
from headstart.project.located import SourceError
from headstart.project.report import Silent
from tests.fetching.test_remote_images import Bars, left, read
from tests.indexed import picture
from tests.parquets import IMAGE, write_parquet

CATS = {"label": ["cat", "dog"]}


def paths(root: Path) -> list[str]:
    data_set = find_parquet(root)
    assert data_set is not None
    return [path for path, _ in pictures_in(data_set)]


def test_numbers_get_the_names_of_the_schema_over_several_row_groups(tmp_path: Path) -> None:
    given = [picture(i, "JPEG" if i % 2 else "PNG") for i in range(200)]
    label = [i % 2 for i in range(200)]
    file = tmp_path / "set/data/train-00000-of-00001.parquet"
    write_parquet(file, given, CATS, rows_a_group=7, label=label)
    assert pq.ParquetFile(file).num_row_groups == 29
    source, bars = find_parquet(tmp_path / "set"), Bars()
    assert source is not None
    with open_images(source, bars) as folder:
        assert [path.name for path in folder.rglob("*.*")] == ["train-00000-of-00001.parquet.tar"]
        assert read(list_pictures(source, folder)) == {
            f"train/{('cat', 'dog')[i % 2]}/data-train-00000-of-00001-{i + 1:06}."
            f"{('png', 'jpg')[i % 2]}": data
            for i, data in enumerate(given)
        }
    assert bars.bars == [("write pictures", 200, 200)] and left(tmp_path) == set()


def test_one_row_group_is_in_memory_at_a_time(tmp_path: Path) -> None:
    noise = [random.Random(i).randbytes(1 << 18) for i in range(64)]
    file = tmp_path / "train.parquet"
    write_parquet(file, noise, CATS, rows_a_group=4, label=[i % 2 for i in range(64)])
    del noise
    source = find_parquet(tmp_path)
    assert source is not None
    before, most = pa.total_allocated_bytes(), 0
    for _ in pictures_in(source):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < file.stat().st_size / 4


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["a cat", " dog ", ""], ["a cat", "dog", None]),
        ([3, 4, None], ["3", "4", None]),
        ([True, False, None], ["true", "false", None]),
        ([3.0, float("nan"), None], ["3", None, None]),
        (pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
    ],
)
def test_values_are_names_where_the_schema_has_none(
    tmp_path: Path, labels: Any, classes: list[str | None]
) -> None:
    write_parquet(tmp_path / "train.parquet", [picture(i) for i in range(3)], label=labels)
    assert paths(tmp_path) == [
        "/".join(filter(None, ["train", name, f"train-{row:06}.png"]))
        for row, name in enumerate(classes, start=1)
    ]


def test_test_without_labels(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test.parquet", [picture(0)], CATS, label=[-1])
    write_parquet(tmp_path / "train.parquet", [picture(1)], CATS, label=[1])
    assert paths(tmp_path) == ["test/test-000001.png", "train/dog/train-000001.png"]
    for empty in (pa.nulls(1), [-1.0], [float("nan")]):
        write_parquet(tmp_path / "test.parquet", [picture(0)], CATS, label=empty)
        assert paths(tmp_path) == ["test/test-000001.png", "train/dog/train-000001.png"]


def test_rows_without_a_picture_become_files_that_index_images_names(tmp_path: Path) -> None:
    given = [picture(0), None, b"", b"no picture"]
    write_parquet(tmp_path / "train.parquet", given, CATS, label=[0, 0, 1, 1])
    source = find_parquet(tmp_path)
    assert source is not None
    assert list(pictures_in(source))[1:] == [
        ("train/cat/train-000002.jpg", b""), ("train/dog/train-000003.jpg", b""),
        ("train/dog/train-000004.jpg", b"no picture"),
    ]  # fmt: skip


def test_no_row_with_a_picture(tmp_path: Path) -> None:
    rows = pa.array([{"bytes": None, "path": "/etc/passwd"}], IMAGE)
    write_parquet(tmp_path / "train.parquet", [None], CATS, label=[0])
    table = pq.read_table(tmp_path / "train.parquet").set_column(0, "image", rows)
    pq.write_table(table, tmp_path / "train.parquet")
    source = find_parquet(tmp_path)
    assert source is not None
    with pytest.raises(SourceError, match=r"none of the 1 rows .* at most a path of one"):
        list(write_pictures(source, tmp_path / "out"))


HOSTILE = {
    "../../up": "_.._.._up", "/etc": "_etc", "a\0b": "a_b", "..": "_..", ".git": "_.git",
    "\\\\host\\x": "__host_x", "": None, "@eaDir": "_@eaDir", "ä" * 300: "ä" * 60,
    "half \ud800": "half _",
}  # fmt: skip


def test_nothing_in_a_file_becomes_a_path_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_parquet(
        root / "train.parquet",
        [picture(i) for i in range(len(HOSTILE))],
        {"label": list(HOSTILE)},
        label=list(range(len(HOSTILE))),
    )
    table = pq.read_table(root / "train.parquet")
    rows = [row | {"path": "../../../x.png\0"} for row in table["image"].to_pylist()]
    table = table.set_column(0, table.field(0), pa.array(rows, IMAGE))
    pq.write_table(table, root / "train.parquet")
    source = find_parquet(root)
    assert source is not None
    (tmp_path / "out").mkdir()
    assert list(write_pictures(source, tmp_path / "out"))[-1] == len(HOSTILE)
    assert {Path(path).parts[1:-1] for path in list_tars(tmp_path / "out").sizes} == {
        (name,) if name else () for name in HOSTILE.values()
    }
    assert {path.name for path in tmp_path.iterdir()} == {"set", "out"}


@pytest.mark.parametrize("label", [2, -2])
def test_a_label_out_of_range_is_named_with_its_row(tmp_path: Path, label: int) -> None:
    labels = [0, 1, 0, label]
    write_parquet(tmp_path / "train.parquet", [picture(i) for i in range(4)], CATS,
                  rows_a_group=2, label=labels)  # fmt: skip
    with pytest.raises(SourceError) as error:
        paths(tmp_path)
    assert str(error.value) == (
        f"dataset.source: row 4 of {tmp_path}/train.parquet has label {label}, but its schema names 2 "
        "classes, 0 to 1."
    )


@pytest.mark.parametrize("label", [0.5, float("inf")])
def test_a_float_that_is_no_number_of_a_class_is_named(tmp_path: Path, label: float) -> None:
    write_parquet(tmp_path / "train.parquet", [picture(0), picture(1)], CATS, label=[1.0, label])
    with pytest.raises(
        SourceError, match=f"row 2 of .* has label {label}, a float that is no whole"
    ):
        paths(tmp_path)


def test_two_classes_never_share_a_folder(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", [picture(0), picture(1)], label=["a/b", "a_b"])
    with pytest.raises(SourceError, match=r"'a/b' and 'a_b' \(row 2 of .* one folder, 'a_b'"):
        paths(tmp_path)


def test_nothing_is_left_of_a_file_that_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "set/train.parquet"
    data = [picture(i) * 1000 for i in range(4)]
    write_parquet(file, data, CATS, rows_a_group=1, label=[0, 1, 0, 1])
    source = find_parquet(tmp_path / "set")
    assert source is not None
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2 :] = bytes(len(damaged) - len(damaged) // 2)
    file.write_bytes(damaged)
    with (
        pytest.raises(SourceError, match=r"train\.parquet is a damaged Parquet file"),
        open_images(source, Silent()),
    ):
        pass
    assert left(tmp_path) == set()


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "set/train.parquet", [picture(0)], CATS, label=[0])
    source = find_parquet(tmp_path / "set")
    assert source is not None

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    monkeypatch.setattr(parquet_pictures, "n_free_bytes", lambda _: 7)
    with pytest.raises(
        SourceError, match=r"picture 1 of 1 cannot be .* 7 bytes are free: make room"
    ):
        list(write_pictures(source, tmp_path / "out"))
