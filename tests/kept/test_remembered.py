"""Records in the outs of stages: what DVC's cache holds is kept nowhere else."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.activations.computed import row_places, write_activations
from headstart.kept.outs import Part, file_md5
from headstart.kept.records import made_once, rows_once
from headstart.kept.remembered import Remembered
from headstart.pictures.resized import picture_places, write_resized
from tests.activations.test_stored import MANIFEST, VALUES, computation
from tests.kept.test_records import Maker, folders, key, record

IDS = ["a", "bb", "ccc", "dddd"]
KEY = key()


@pytest.fixture(autouse=True)
def _project(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()


def commit(root: Path, file: Path, cache: str = ".dvc/cache") -> Path:
    """Keep a file as DVC does."""
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    kept = root / cache / "files/md5" / md5[:2] / md5[2:]
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, kept)
    return kept


def an_out(root: Path, name: str, ids: Sequence[str], maker: Maker | None = None) -> Path:
    """A stage: an out with a header, in which the records of `ids` lie backwards."""
    once, file = Remembered(), root / name
    records = list(once(KEY, ids, maker or Maker()))
    starts, data = [], b"header of " + name.encode()
    for one in reversed(records):
        starts.append(len(data))
        data += one
    file.write_bytes(data)
    once.lie_in([Part(file, starts[::-1], [len(one) for one in records])])
    return file


def made(ids: Sequence[str]) -> list[str]:
    """Which records are made again; those given are right."""
    maker = Maker()
    assert list(made_once(KEY, ids, maker)) == [record(picture) for picture in ids]
    return maker.made


def own_bytes(root: Path) -> int:
    return sum((folder / "records.bin").stat().st_size for folder in folders(root))


def test_records_of_an_out_that_dvc_keeps_are_read_from_its_cache(tmp_path: Path) -> None:
    commit(tmp_path, an_out(tmp_path, "out", IDS)).chmod(0o444)
    (tmp_path / "out").unlink()  # DVC does so before the stage runs again
    assert made([*IDS, "new"]) == ["new"]
    assert own_bytes(tmp_path) == len(record("new"))


def test_until_dvc_keeps_the_out_nothing_is_dropped(tmp_path: Path) -> None:
    file = an_out(tmp_path, "out", IDS)
    assert made(IDS) == [] and own_bytes(tmp_path) == sum(len(record(i)) for i in IDS)
    commit(tmp_path, file)
    list(made_once(key("another key"), [], Maker()))  # by the next stage, whatever it does
    assert own_bytes(tmp_path) == 0
    assert made(IDS) == []


def test_what_the_out_lacks_stays(tmp_path: Path) -> None:
    """As of a run that broke off."""
    with pytest.raises(RuntimeError, match="broken off"):
        list(made_once(KEY, [*IDS, "x", "y"], Maker(breaks_at="y")))
    commit(tmp_path, an_out(tmp_path, "out", IDS))
    assert made([*IDS, "x"]) == []
    assert own_bytes(tmp_path) == len(record("x"))
    assert made([*IDS, "x", "y"]) == ["y"]


def test_an_out_that_is_collected_costs_time_alone(tmp_path: Path) -> None:
    kept = commit(tmp_path, an_out(tmp_path, "out", IDS))
    assert made(IDS) == [] and own_bytes(tmp_path) == 0
    kept.unlink()
    assert made(IDS) == IDS
    assert made(IDS) == []


@pytest.mark.parametrize("how", ["flipped", "cut"])
def test_a_damaged_cache_gives_no_wrong_record(tmp_path: Path, how: str) -> None:
    kept = commit(tmp_path, an_out(tmp_path, "out", IDS))
    assert made(IDS) == []
    data = bytearray(kept.read_bytes())
    data[len(b"header of out") + len(record("dddd")) + 2] ^= 1
    kept.write_bytes(data if how == "flipped" else data[:-1])
    assert made(IDS) == (["ccc"] if how == "flipped" else IDS)


def test_each_of_the_last_outs_has_its_part(tmp_path: Path) -> None:
    """Folds: each lacks the pictures that it validates on."""
    for number, left_out in enumerate(IDS):
        file = an_out(tmp_path, f"out{number}", [i for i in IDS if i != left_out])
        commit(tmp_path, file)
        for out in (tmp_path / ".headstart").rglob("*.out"):
            os.utime(out, ns=(out.stat().st_atime_ns, out.stat().st_mtime_ns - 10**9))
    assert made(IDS) == [] and own_bytes(tmp_path) == 0
    [folder] = folders(tmp_path)
    assert len(list(folder.glob("*.out"))) == 3


@pytest.mark.parametrize("config", ["config", "config.local"])
def test_the_cache_may_lie_elsewhere(tmp_path: Path, config: str) -> None:
    (tmp_path / ".dvc" / config).write_text("[cache]\n    dir = ../../elsewhere\n")
    file = an_out(tmp_path, "out", IDS)
    commit(tmp_path.parent, file, "elsewhere")
    assert made(IDS) == [] and own_bytes(tmp_path) == 0


def test_where_nothing_is_kept_no_out_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_KEEP_GB", "0")
    an_out(tmp_path, "out", IDS)
    assert not (tmp_path / ".headstart").exists()


def test_an_out_of_other_records_is_an_error(tmp_path: Path) -> None:
    once = Remembered()
    list(once(KEY, IDS, Maker()))
    (tmp_path / "out").write_bytes(b"data")
    with pytest.raises(ValueError, match="zip"):
        once.lie_in([Part(tmp_path / "out", [0], [1])])
    with pytest.raises(ValueError, match="zip"):
        once.lie_in([])


def test_dvc_names_a_file_by_its_md5(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text\r\n\x00")
    assert file_md5(tmp_path / "file") == hashlib.md5(b"text\r\n\x00").hexdigest()


def test_the_pictures_of_the_resized_file_lie_where_it_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(f"{n:04}", rng.bytes(int(rng.integers(1, 300)))) for n in range(150)]  # 3 batches
    write_resized(tmp_path / "resized", rows, {"codec": "png"})
    part = picture_places(tmp_path / "resized")
    data = part.file.read_bytes()
    found = [data[s : s + n] for s, n in zip(part.starts, part.n_bytes, strict=True)]
    assert found == [data for _, data in rows]
    write_resized(tmp_path / "none", [], {"codec": "png"})
    assert list(picture_places(tmp_path / "none").starts) == []


def test_the_rows_of_features_lie_where_it_says(tmp_path: Path) -> None:
    sizes = {px: MANIFEST.model_copy(update={"size_px": px}) for px in (32, 64)}
    values = {px: VALUES + px for px in sizes}  # (V, N, D)
    write_activations(
        tmp_path / "views",
        64,
        [
            replace(computation(), manifest=manifest, rows=values[px].__getitem__)
            for px, manifest in sizes.items()
        ],
    )
    found = []
    for part in row_places(tmp_path / "views"):
        data = part.file.read_bytes()
        found += [data[s : s + n] for s, n in zip(part.starts, part.n_bytes, strict=True)]
    rows = [row for of_size in values.values() for view in of_size for row in view]
    assert found == [row.tobytes() for row in rows]


def test_rows_come_back_from_an_out_bit_for_bit(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(len(IDS), 5)).astype(np.float32)
    kept = Remembered()
    sha256 = dict.fromkeys(IDS, "0" * 64)
    once = rows_once(sha256, kept)
    list(once(KEY, IDS, lambda new: rows))
    file = tmp_path / "features.bin"
    file.write_bytes(rows.tobytes())
    kept.lie_in([Part(file, range(0, 80, 20), [20] * 4)])
    commit(tmp_path, file)
    again = rows_once(sha256)(KEY, IDS, lambda new: iter(()))
    assert np.array_equal(np.stack(list(again)), rows) and own_bytes(tmp_path) == 0
