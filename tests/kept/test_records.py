import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from headstart.kept import room
from headstart.kept.once import of_bytes
from headstart.kept.records import known_records, made_once, rows_once


class Maker:
    """Makes the record of an id from the id, and remembers what it was asked for."""

    def __init__(self, breaks_at: str = "", n_bytes: int = 0) -> None:
        self.asked: list[str] = []
        self.made: list[str] = []
        self._breaks_at, self._n_bytes = breaks_at, n_bytes

    def __call__(self, ids: Sequence[str]) -> Iterator[bytes]:
        self.asked += ids
        for picture in ids:
            if picture == self._breaks_at:
                raise RuntimeError("broken off")
            self.made.append(picture)
            yield record(picture) + bytes(self._n_bytes)


def record(picture: str) -> bytes:
    return f"record of {picture}\n\0".encode() * len(picture)


def key(of: str = "x", code: str = "rooms") -> dict[str, str]:
    return {"of": of, "code": code}


def folders(tmp_path: Path) -> list[Path]:
    return sorted(
        path for path in (tmp_path / ".headstart/work/records").iterdir() if path.is_dir()
    )


def test_only_new_pictures_are_made_and_all_come_in_order() -> None:
    ids = ["b", "dd", "a", "ccc"]
    first = Maker()
    assert list(made_once(key("x"), ids[1:3], first)) == [record("dd"), record("a")]
    second = Maker()
    assert list(made_once(key("x"), ids, second)) == [record(picture) for picture in ids]
    assert second.asked == ["b", "ccc"]
    none = Maker()
    assert list(made_once(key("x"), ids[::-1], none)) == [record(p) for p in ids[::-1]]
    assert not none.asked


def test_another_key_and_other_code_find_nothing() -> None:
    list(made_once(key("x"), ["a"], Maker()))
    other_key = Maker()
    list(made_once(key("y"), ["a"], other_key))
    other_code = Maker()
    list(made_once(key("x", "edited"), ["a"], other_code))
    assert other_key.made == other_code.made == ["a"]


def test_a_key_that_does_not_tell_its_code_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the key \{'of': 'x'\} must have \"code\""):
        list(made_once({"of": "x"}, ["a"], Maker()))


def test_a_run_that_breaks_off_goes_on_where_it_was() -> None:
    with pytest.raises(RuntimeError, match="broken off"):
        list(made_once(key(), ["a", "b", "c"], Maker(breaks_at="c")))
    rest = Maker()
    list(made_once(key(), ["a", "b", "c"], rest))
    assert rest.made == ["c"]


@pytest.mark.parametrize(
    "lost", [("records.bin", -1), ("records.txt", -1), ("records.txt", -9), ("records.bin", 0)]
)
def test_what_a_crash_left_half_is_made_again(tmp_path: Path, lost: tuple[str, int]) -> None:
    list(made_once(key(), ["a", "bb"], Maker()))
    name, end = lost
    [folder] = folders(tmp_path)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:end])
    for _ in range(2):  # and what is appended then is found the next time
        again = Maker()
        assert list(made_once(key(), ["a", "bb"], again)) == [record("a"), record("bb")]
    assert not again.made and (folder / name).read_bytes() == whole


def test_bytes_that_changed_on_disk_are_never_given(tmp_path: Path) -> None:
    list(made_once(key(), ["a", "bb", "c"], Maker()))
    [folder] = folders(tmp_path)
    data = bytearray((folder / "records.bin").read_bytes())
    data[len(record("a")) + 3] ^= 1
    (folder / "records.bin").write_bytes(data)
    again = Maker()
    assert list(made_once(key(), ["a", "bb", "c"], again)) == [record(p) for p in ("a", "bb", "c")]
    assert again.made == ["bb"]


def test_a_line_that_is_no_record_ends_what_is_believed(tmp_path: Path) -> None:
    list(made_once(key(), ["a", "b"], Maker()))
    [folder] = folders(tmp_path)
    lines = (folder / "records.txt").read_bytes().splitlines(keepends=True)
    (folder / "records.txt").write_bytes(lines[0] + b"\xff\0\0\n" + lines[1])
    again = Maker()
    assert list(made_once(key(), ["a", "b"], again)) == [record("a"), record("b")]
    assert again.made == ["b"]


def test_a_wrong_number_of_records_is_an_error() -> None:
    with pytest.raises(ValueError, match="fewer records than the 2"):
        list(made_once(key(), ["a", "b"], lambda ids: [b"a"]))
    with pytest.raises(ValueError, match="more records than the 1"):
        list(made_once(key(), ["a", "c"], lambda ids: [b"c", b"d"]))


@pytest.fixture
def _keep_1_mb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_KEEP_GB", "0.001")


@pytest.mark.usefixtures("_keep_1_mb")
def test_the_least_lately_used_gives_way(tmp_path: Path) -> None:
    for age, of in enumerate(("new", "old", "held")):
        list(made_once(key(of), ["a"], Maker(n_bytes=300_000)))
        newest = max(folders(tmp_path), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (1000 - age, 1000 - age))
        if of == "held":
            held = FileLock(newest.with_name(f"{newest.name}.lock"))
    with held:  # another process works with the oldest
        list(made_once(key("one more"), ["b", "c"], Maker(n_bytes=300_000)))
    assert len(folders(tmp_path)) == 2
    found = Maker()
    list(made_once(key("held"), ["a"], found))
    list(made_once(key("one more"), ["b", "c"], found))
    assert not found.made


@pytest.mark.usefixtures("_keep_1_mb")
def test_several_that_make_room_at_once_do_not_fail_each_other() -> None:
    """Each keeps less than 1 MB of many keys, so all of them remove what the others have listed."""

    def work(number: int) -> None:
        for i in range(60):
            [found] = made_once(key(f"{number} {i}"), ["a"], Maker(n_bytes=300_000))
            assert found.startswith(record("a"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


@pytest.mark.usefixtures("_keep_1_mb")
def test_a_folder_that_goes_away_before_it_is_removed_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for of in ("one", "two", "three"):
        list(made_once(key(of), ["a"], Maker(n_bytes=300_000)))

    class Late(FileLock):
        """Gets the lock when another process has just removed the folder."""

        def __enter__(self) -> "Late":
            shutil.rmtree(Path(self.lock_file).with_suffix(""))
            super().__enter__()
            return self

    monkeypatch.setattr(room, "FileLock", Late)
    list(made_once(key("four"), ["a"], Maker(n_bytes=600_000)))
    found = Maker()
    list(made_once(key("four"), ["a"], found))
    assert not found.made and len(folders(tmp_path)) < 4


@pytest.mark.usefixtures("_keep_1_mb")
def test_a_run_survives_that_its_records_are_deleted(tmp_path: Path) -> None:
    with known_records(key("x")) as known:
        shutil.rmtree(tmp_path / ".headstart")
        for picture in "abc":  # the second asks for room
            known.add(picture, bytes(600_000))
        assert known.get("a") is None
    with known_records(key("x")) as known:
        assert known.get("a") is None


@pytest.mark.usefixtures("_keep_1_mb")
def test_what_has_no_room_is_not_kept(tmp_path: Path) -> None:
    big = Maker(n_bytes=600_000)
    assert len(list(made_once(key(), ["a", "b"], big))) == 2
    again = Maker(n_bytes=600_000)
    list(made_once(key(), ["a", "b"], again))
    assert again.made == ["b"]
    assert sum(file.stat().st_size for file in folders(tmp_path)[0].iterdir()) < 1_000_000


def test_nothing_is_kept_where_that_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_KEEP_GB", "0")
    assert list(made_once(key(), ["a"], Maker())) == [record("a")]
    assert not (tmp_path / ".headstart").exists()
    for wrong in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("HEADSTART_KEEP_GB", wrong)
        with pytest.raises(
            ValueError, match=f"HEADSTART_KEEP_GB is '{wrong}'; it must be a number"
        ):
            list(made_once(key(), ["a"], Maker()))


def test_who_learns_the_id_late_asks_and_adds() -> None:
    with known_records(key("x")) as known:
        assert known.get("a") is None
        known.add("a", b"1")
    with known_records(key("x")) as known:
        assert known.get("a") == b"1" and "a" in known and "b" not in known


def test_rows_of_numbers_come_back_bit_for_bit() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32)
    ids, once = list("abcd"), rows_once(dict.fromkeys("abcd", "0" * 64))
    full, small = {**key(), "size_px": 64}, {**key(), "size_px": 32}

    def compute(new: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        yield from rows[[ids.index(picture) for picture in new]]

    list(once(small, ids[1:3], compute))
    assert np.array_equal(np.stack(list(once(small, ids, compute))), rows)
    assert not list(once(small, [], compute))
    other_bytes = rows_once(dict.fromkeys("abcd", "1" * 64))
    for other in (other_bytes(small, ids, lambda new: rows + 1),
                  once(full, ids, lambda new: rows + 1)):  # fmt: skip
        assert np.array_equal(np.stack(list(other)), rows + 1)


def test_only_the_pictures_with_other_bytes_are_made_again() -> None:
    first, second = Maker(), Maker()
    list(of_bytes(made_once, {"a": "1" * 64, "b": "1" * 64})(key(), ["a", "b"], first))
    again = of_bytes(made_once, {"a": "1" * 64, "b": "2" * 64})(key(), ["b", "a"], second)
    assert list(again) == [record("b"), record("a")]
    assert (first.asked, second.asked) == (["a", "b"], ["b"])
