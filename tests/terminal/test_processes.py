"""Several processes of a stage end as one: with one sentence, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

SCRIPT = """
from headstart.terminal.processes import start_processes
start_processes()
import os, pathlib, signal, sys, time
import click
from headstart.project.errors import HeadstartError
from headstart.terminal.plain_command import PlainCommand

@click.command(cls=PlainCommand)
def main():
    rank = os.environ["RANK"]
    pathlib.Path(f"pid{rank}").write_text(str(os.getpid()))
    if sys.argv[0].endswith("waits.py"):
        time.sleep(100)
    while not all(pathlib.Path(f"pid{n}").exists() for n in range(2)):
        time.sleep(0.01)  # an error of one ends the other, also before it has begun
    if sys.argv[0].endswith("fault.py") and rank == "1":
        raise ZeroDivisionError("a fault of ours")
    if sys.argv[0].endswith("killed.py") and rank == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == "1" or sys.argv[0].endswith("both.py"):
        raise HeadstartError("a picture is broken.")
    time.sleep(100)  # as the first does until the others join it

main()
"""


def start(folder: Path, repo_root: Path, name: str) -> subprocess.Popen[str]:
    (folder / name).write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(repo_root / "src"), "HEADSTART_PROCS": "2"}
    return subprocess.Popen(
        [sys.executable, name], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def pids(folder: Path) -> list[int]:
    """Of both processes, when they run."""
    files = [folder / f"pid{rank}" for rank in range(2)]
    deadline = time.monotonic() + 120
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < deadline, "they do not run"
        time.sleep(0.05)
    return [int(file.read_text()) for file in files]


def assert_gone(numbers: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(map(psutil.pid_exists, numbers)):
        assert time.monotonic() < deadline, "a process is left behind"
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["one.py", "both.py"])
def test_an_error_is_said_once(name: str, tmp_path: Path, repo_root: Path) -> None:
    process = start(tmp_path, repo_root, name)
    said, _ = process.communicate()
    assert (process.returncode, said) == (1, "Error: a picture is broken.\n")
    assert_gone(pids(tmp_path))


@pytest.mark.long
def test_a_traceback_is_shown_once(tmp_path: Path, repo_root: Path) -> None:
    process = start(tmp_path, repo_root, "fault.py")
    said, _ = process.communicate()
    assert process.returncode == 1
    assert said.count("ZeroDivisionError: a fault of ours") == said.count("Traceback") == 1


@pytest.mark.long
def test_one_that_is_killed_each_time_ends_all(tmp_path: Path, repo_root: Path) -> None:
    process = start(tmp_path, repo_root, "killed.py")
    said, _ = process.communicate()
    again = "Process 2 of 2 was killed. All begin anew.\n"
    assert process.returncode == 1
    assert said == 3 * again + "Process 2 of 2 was killed. Run the command again to go on.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_all(number: signal.Signals, tmp_path: Path, repo_root: Path) -> None:
    process = start(tmp_path, repo_root, "waits.py")
    both = pids(tmp_path)
    process.send_signal(number)
    said, _ = process.communicate()
    assert_gone(both)
    if number == signal.SIGKILL:
        assert (process.returncode, said) == (-number, "")
        return
    sentence = f"Interrupted by {number.name}. Run the command again to go on; what is finished"
    assert said == f"{sentence} is kept.\n"
    assert process.returncode == 128 + number


@pytest.mark.parametrize("wanted", ["0", "two", "-1", "1.5"])
def test_a_malformed_number_is_refused(wanted: str, tmp_path: Path, repo_root: Path) -> None:
    code = "from headstart.terminal.processes import start_processes; start_processes()"
    environment = os.environ | {"PYTHONPATH": str(repo_root / "src"), "HEADSTART_PROCS": wanted}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: HEADSTART_PROCS is {wanted!r}; it must be a whole number from 1, or auto (one "
        "process for each visible GPU).\n"
    )
