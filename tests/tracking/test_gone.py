"""Runs whose process was killed end as KILLED at the next publish or sync, and no others."""

import json
import subprocess
import sys
from typing import Any

import pytest

from headstart.tracking.gone import end_gone
from headstart.tracking.process import TAG, about
from headstart.tracking.runs import Runs
from headstart.tracking.tracker import Tracker, publish
from tests.tracked import row

pytestmark = pytest.mark.usefixtures("tracked_project")


def dead() -> dict[str, str]:
    """What identifies a process that has ended."""
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    found = about(child.pid)
    child.kill()
    child.communicate()
    return found


def start(runs: Runs, tag: dict[str, str] | None) -> str:
    return runs.start("train-head", {}, {} if tag is None else {TAG: json.dumps(tag)}, 5)


def info(runs: Runs, run_id: str) -> Any:
    return runs.client.get_run(run_id).info


def test_a_publish_ends_the_runs_of_killed_stages_alone() -> None:
    tracker, ended = Tracker(), dead()
    killed = start(tracker, ended)
    tracker.client.log_metric(killed, "loss", 1.0, timestamp=77)
    others = [ended | {"host": "another"}, ended | {"project": "/another"}, about(1), None]
    alive = [start(tracker, tag) for tag in others]
    failed = start(tracker, ended)
    tracker.end(failed, "FAILED", 9)
    publish(row(a=1.0), [])
    assert (info(tracker, killed).status, info(tracker, killed).end_time) == ("KILLED", 77)
    assert [info(tracker, run_id).status for run_id in alive] == ["RUNNING"] * 4
    assert info(tracker, failed).status == "FAILED"


def test_a_row_that_a_killed_publish_left_is_completed_by_the_next() -> None:
    tracker, line = Tracker(), row(a=1.0)
    tags = {TAG: json.dumps(dead()), "headstart.state": line.state, "headstart.complete": "false"}
    half = tracker.start("a=1", {}, tags, 5)
    end_gone(tracker)
    assert info(tracker, half).status == "KILLED"
    assert publish(line, []) == half
    assert info(tracker, half).status == "FINISHED"


def test_a_failure_is_told_and_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker()

    def refuse(*_: object, **__: object) -> None:
        raise OSError("not allowed")

    monkeypatch.setattr(tracker.client, "search_runs", refuse)
    end_gone(tracker)
    assert tracker.missing == {"the end of runs that were killed": "not allowed"}
