"""A tracker that is broken in any way costs a stage nothing but its tracking, and little time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from headstart.tracking.publishing import publish_row
from headstart.tracking.records import read_run
from headstart.tracking.teller import Teller
from headstart.tracking.tracker import publish
from tests.bad_server import BEHAVIOURS, bad_server
from tests.tracked import all_runs, row, run_stage

SRC = Path(__file__).parents[2] / "src"
ASKED = "asked"
DEADLINE_S = 1.0
SOON_S = 30  # of a machine that is busy; without a deadline it is for ever
pytestmark = pytest.mark.usefixtures("tracked_project")

STAGE = """
from headstart.tracking.start import start_stage
start_stage()
import sys, time
from pathlib import Path
from headstart.tracking import live
with live.stage_run(sys.argv[1], Path(sys.argv[1] + ".json"), {}) as run:
    print(run._teller._process.pid, flush=True)
    for step in range(50):
        run.log({"loss": 1.0}, step)
    while len(sys.argv) > 2 and not Path(sys.argv[2]).exists():  # until MLflow has been asked
        time.sleep(0.05)
    print(time.monotonic(), flush=True)
    if len(sys.argv) > 3:
        exec(sys.argv[3])
"""
LEAVE_A_PROCESS_AND_DIE = """
import os, signal, subprocess
pipe = run._teller._pipe
os.set_inheritable(pipe, True)
to = subprocess.DEVNULL
left = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=to, stderr=to)
print(left.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def stage(uri: str, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a stage as DVC does; its output: number of its teller, when its work was done, and more."""
    settings = {"MLFLOW_TRACKING_URI": uri, "HEADSTART_TRACKER_S": str(DEADLINE_S)}
    return subprocess.run(
        [sys.executable, "-c", STAGE, name, *arguments],
        env=os.environ | {"PYTHONPATH": str(SRC), "DVC_STAGE": name} | settings,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@contextmanager
def asked_server(behaviour: str) -> Iterator[str]:
    """A bad server that writes the file `asked` when it is asked."""
    Path(ASKED).unlink(missing_ok=True)
    with bad_server(behaviour, Path(ASKED).touch) as uri:
        yield uri


def check_stage(behaviour: str, name: str) -> float:
    """Run a stage beside a bad server, and check all that must hold; return its seconds of waiting."""
    with asked_server(behaviour) as uri:
        until = [] if behaviour == "absent" else [ASKED]
        done = stage(uri, name, *until)
        teller, worked = done.stdout.split()
        waited_s = time.monotonic() - float(worked)
        assert done.returncode == 0, done.stderr
        assert waited_s < DEADLINE_S + SOON_S
        assert not psutil.pid_exists(int(teller))
        assert done.stderr.count("headstart sync") == done.stderr.count("\n") == 1, done.stderr
        assert "pa55word" not in done.stderr and "http://***@127.0.0.1:" in done.stderr
    record = read_run(Path(f"{name}.json"))
    assert record.run_id is None and len(record.points) == 50
    assert "pa55word" not in Path(f"{name}.json").read_text()
    return waited_s


def test_a_server_that_sends_a_byte_at_a_time_holds_up_no_stage(
    figures: Callable[[str], None],
) -> None:
    waited = [check_stage("drip", name) for name in ("train-head", "train-augmented")]
    records = [read_run(Path(f"{name}.json")) for name in ("train-head", "train-augmented")]
    publish(row(a=1.0), records)  # to a store that works
    told = [run for run in all_runs() if "headstart.stage" in run.data.tags]
    assert [run.info.status for run in told] == ["FINISHED"] * 2
    figures(f"2 stages, waited at most {max(waited):.1f} s with a deadline of {DEADLINE_S:g} s")


@pytest.mark.long
def test_every_kind_of_broken_server_holds_up_no_stage(figures: Callable[[str], None]) -> None:
    waited = [
        check_stage(behaviour, f"{behaviour}-{n}") for behaviour in BEHAVIOURS for n in range(5)
    ]
    publish(row(a=1.0), [read_run(Path(f"{kind}-0.json")) for kind in BEHAVIOURS])
    told = [run for run in all_runs() if "headstart.stage" in run.data.tags]
    assert [run.info.status for run in told] == ["FINISHED"] * len(BEHAVIOURS)
    figures(
        f"{len(BEHAVIOURS)} kinds of broken servers, {len(waited)} stages, waited at most "
        f"{max(waited):.1f} s with a deadline of {DEADLINE_S:g} s, no process left"
    )


@pytest.mark.usefixtures("told_in_process")
@pytest.mark.parametrize("behaviour", ["reset", "500", "garbage"])
def test_a_server_that_fails_at_once_costs_one_sentence(
    behaviour: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with bad_server(behaviour) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        started = time.monotonic()
        record = run_stage()
        assert time.monotonic() - started < SOON_S
    assert record.run_id is None and len(record.points) == 8
    out, err = capfd.readouterr()
    assert err.count("headstart sync") == err.count("\n") == 1
    assert "http://***@127.0.0.1:" in err and "pa55word" not in out + err


def test_the_process_ends_soon_after_a_stage_that_was_killed() -> None:
    """Even if a process that the stage has left keeps the pipe open."""
    with asked_server("silent") as uri:
        done = stage(uri, "train-head", ASKED, LEAVE_A_PROCESS_AND_DIE)
        teller, _, left = map(float, done.stdout.split())
        assert done.returncode == -signal.SIGKILL
        try:
            until = time.monotonic() + SOON_S
            while psutil.pid_exists(int(teller)):
                assert time.monotonic() < until
                time.sleep(0.05)
        finally:
            os.kill(int(left), signal.SIGKILL)
    assert not Path("train-head.json").exists()


def test_a_row_that_a_server_does_not_take_is_left_for_later(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with asked_server("drip") as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        process = Teller()
        begin, wait = Teller.send, process.answer

        def answer(deadline_s: float) -> str | None:
            assert deadline_s == DEADLINE_S
            until = time.monotonic() + SOON_S
            while not Path(ASKED).exists():
                assert time.monotonic() < until
                time.sleep(0.05)
            return wait(deadline_s)

        monkeypatch.setenv("HEADSTART_TRACKER_S", str(DEADLINE_S))
        monkeypatch.setattr(process, "send", lambda *given: begin(process, *given))
        monkeypatch.setattr(process, "answer", answer)
        monkeypatch.setattr("headstart.tracking.teller.take", lambda: process)
        assert publish_row(row(a=1.0), [], [], Path("net.safetensors")) is None
    assert not psutil.pid_exists(process._process.pid)
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "it had not taken all 1 s after the stage" in err
    assert "`headstart sync`" in err and "pa55word" not in err


def test_a_process_that_reads_nothing_blocks_no_stage(capfd: pytest.CaptureFixture[str]) -> None:
    process = Teller()
    os.kill(process._process.pid, signal.SIGSTOP)
    started = time.monotonic()
    process.send("start", {"name": "x" * 1_000_000})
    assert process.answer(0.2) is None
    assert time.monotonic() - started < SOON_S
    assert not psutil.pid_exists(process._process.pid)
    assert capfd.readouterr().err.count("headstart sync") == 1


@pytest.mark.long
def test_runs_of_stages_that_were_killed_end_as_killed(figures: Callable[[str], None]) -> None:
    """Stage and teller are killed at once, so nobody is left to say it."""
    n = 10
    for i in range(n):
        live = subprocess.Popen(
            [sys.executable, "-c", STAGE, f"stage-{i}", "never"],
            env=os.environ | {"PYTHONPATH": str(SRC), "DVC_STAGE": "x"}, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert live.stdout is not None
        teller = int(live.stdout.readline())
        while not [run for run in all_runs() if run.info.run_name == f"stage-{i}"]:
            time.sleep(0.1)
        with suppress(ProcessLookupError):
            os.kill(teller, signal.SIGKILL)
        live.kill()
        live.communicate()
    assert _statuses() == ["RUNNING"] * n
    publish(row(a=1.0), [])
    assert _statuses() == ["KILLED"] * n
    figures(f"{n} stages killed with the process that tells, {n} runs KILLED at the next publish")


def _statuses() -> list[str]:
    told: list[Any] = [run for run in all_runs() if "headstart.stage" in run.data.tags]
    return [run.info.status for run in told]
