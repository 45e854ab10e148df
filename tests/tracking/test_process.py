"""Whether the process of a run is gone: yes only where that is sure."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headstart.tracking import process
from headstart.tracking.process import TAG, about, is_gone, process_tag


def gone(pid: int, **other: str) -> bool:
    return is_gone(json.dumps(about(pid) | other))


def test_a_process_that_lives_is_not_gone() -> None:
    tag = process_tag()
    assert list(tag) == [TAG] and json.loads(tag[TAG])["pid"] == str(os.getpid())
    assert json.loads(tag[TAG])["started"]
    assert not is_gone(tag[TAG])


def test_one_that_was_killed_is_gone_even_before_its_parent_has_asked() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    tag = json.dumps(about(child.pid))
    assert not is_gone(tag)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(tag)
    child.communicate()
    assert is_gone(tag)


def test_the_number_of_a_process_may_be_anothers_by_now() -> None:
    assert gone(os.getpid(), started="1")


@pytest.mark.parametrize("name", ["project", "host", "machine", "space"])
def test_a_process_of_elsewhere_is_not_known_to_be_gone(name: str) -> None:
    assert not gone(os.getpid(), **{name: "another", "started": "1"})


def test_a_machine_that_was_started_anew_has_no_process_of_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "id").write_text("0123\n")
    monkeypatch.setattr(process, "_MACHINE", (tmp_path / "id",))
    assert gone(os.getpid(), boot="another")
    monkeypatch.setattr(process, "_MACHINE", (tmp_path / "none",))
    assert not gone(os.getpid(), boot="another")  # maybe another machine of the same name


@pytest.mark.parametrize("tag", ["", "[]", "1", "{}", '{"pid": "x"}', "not json"])
def test_what_is_no_tag_of_a_process_ends_no_run(tag: str) -> None:
    assert not is_gone(tag)
