"""States of unfinished computations on disk: digests of inputs, and the room they take."""

import os
from pathlib import Path

import pytest

from headstart.kept.room import RECORDS, make_room
from headstart.kept.states import STATES, States, any_states, content_digest, n_bytes_of

MB = 1_000_000


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def kept(stage: str, n_bytes: int, **key: int) -> Path:
    """A state of so many bytes, which no process holds any more."""
    states = States.hold(stage, key)
    assert states
    states.write(lambda file: file.write(bytes(n_bytes)))
    last = states.last()
    assert last and last.stat().st_size == n_bytes
    states.release()
    return last


def test_states_share_the_room_of_kept_work_and_the_oldest_goes_first() -> None:
    old, new = kept("train-head", MB, lr=1), kept("train-head", MB, lr=2)
    for age_s, state in ((9, old), (1, new)):
        os.utime(state.parent, (10_000 - age_s,) * 2)
    records = Path(".headstart/work", RECORDS, "own")
    records.mkdir(parents=True)
    make_room(records, MB, wanted_gb=0.0025, n_free=0)
    assert not old.exists() and new.exists()
    assert new.parents[1].name == STATES


def test_a_state_that_is_held_stays() -> None:
    state = kept("train-head", MB)
    states = States.hold("train-head", {})
    assert states and States.hold("train-head", {}) is None
    make_room(Path(".headstart/work", RECORDS, "own"), MB, wanted_gb=0, n_free=0)
    assert state.exists()
    states.remove()
    states.release()
    assert not any_states("train-head")


def test_a_stage_knows_its_own_states() -> None:
    kept("train-head", 1)
    assert any_states("train-head") and not any_states("train")


def test_the_digest_of_inputs_tells_names_and_contents() -> None:
    folder, file = Path("folder"), Path("file")
    (folder / "below").mkdir(parents=True)
    file.write_bytes(b"one")
    (folder / "below/a").write_bytes(b"two")
    before = content_digest([folder, file])
    assert n_bytes_of([folder, file]) == 6
    assert content_digest([file, folder]) != before
    (folder / "below/a").rename(folder / "a")
    assert content_digest([folder, file]) != before
    (folder / "a").rename(folder / "below/a")
    assert content_digest([folder, file]) == before
