"""What gives way where kept work wants more room than it may have."""

import os
import shutil
from pathlib import Path

import pytest

from headstart.kept.room import COPIES, RECORDS, make_room

MB = 1_000_000


def a_folder(work: Path, kind: str, name: str, age_s: int, n_bytes: int = MB) -> Path:
    """One that was last used so long ago; records with no bytes of their own only point."""
    folder = work / kind / name
    data = folder / ("records.bin" if kind == RECORDS else "done/pictures.arrow")
    data.parent.mkdir(parents=True)
    data.write_bytes(bytes(n_bytes))
    (folder / "00.out").write_text("a line")
    os.utime(folder, (10_000 - age_s,) * 2)
    return folder


def test_records_and_copies_share_one_limit_and_the_oldest_goes_first(tmp_path: Path) -> None:
    own = a_folder(tmp_path, RECORDS, "own", 99)
    old, new = a_folder(tmp_path, COPIES, "old", 3), a_folder(tmp_path, RECORDS, "new", 1)
    newest = a_folder(tmp_path, COPIES, "newest", 0)
    room = make_room(own, MB, wanted_gb=0.0035, n_free=0)
    assert own.exists() and new.exists() and newest.exists() and not old.exists()
    assert room == 3_500_000 - 2 * (MB + len("a line"))
    make_room(own, MB, wanted_gb=0.0015, n_free=0)
    assert own.exists() and not new.exists() and not newest.exists()


def test_what_only_points_gives_way_last(tmp_path: Path) -> None:
    own, points = a_folder(tmp_path, RECORDS, "own", 0), a_folder(tmp_path, RECORDS, "p", 9, 0)
    holds = a_folder(tmp_path, RECORDS, "holds", 1)
    make_room(own, MB, wanted_gb=0.0015, n_free=0)
    assert points.exists() and not holds.exists()
    make_room(own, MB, wanted_gb=0.001, n_free=0)  # a line too much
    assert not points.exists() and own.exists()


def test_a_quarter_of_what_is_free_without_them_is_the_default(tmp_path: Path) -> None:
    own, other = a_folder(tmp_path, RECORDS, "own", 0), a_folder(tmp_path, COPIES, "other", 1)
    n_other = MB + len("a line")
    assert make_room(own, MB, None, 7 * MB) == int((9 * MB + len("a line")) / 4) - n_other
    assert other.exists()
    assert make_room(own, MB, None, 2 * MB) == int((4 * MB + len("a line")) / 4)
    assert not other.exists()


def test_a_folder_that_goes_away_while_it_is_counted_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, gone = a_folder(tmp_path, RECORDS, "own", 0), a_folder(tmp_path, RECORDS, "gone", 1)
    rglob = Path.rglob

    def late(path: Path, pattern: str) -> object:
        found = list(rglob(path, pattern))
        if path == gone:
            shutil.rmtree(gone)
        return found

    monkeypatch.setattr(Path, "rglob", late)
    assert make_room(own, MB, wanted_gb=0.002, n_free=0) == 2 * MB
