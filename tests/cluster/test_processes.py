"""Processes as workers: order, bits, deaths of workers and of the driver."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import psutil
import pytest

from headstart.cluster.processes import Processes
from headstart.cluster.spread import N_DEATHS, spread
from headstart.project.errors import HeadstartError
from tests.cluster.doubling import NAMES, Doubling, doubled, made, opened, shards, work


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    workers = Processes(2, [], os.environ)
    yield workers
    workers.close()


def test_records_come_in_order_and_each_process_opens_the_job_once(
    processes: Processes, tmp_path: Path
) -> None:
    job = Doubling(tmp_path, takes_s=0.05)
    for what in (7, 8):
        assert list(spread(processes, work(job, what), NAMES)) == doubled(what=what)
    assert made(tmp_path) == sorted(2 * NAMES[::4])
    assert opened(tmp_path) == 2
    assert not shards(tmp_path)


def test_no_file_is_left_where_the_caller_stops_after_the_last_record(
    processes: Processes, tmp_path: Path
) -> None:
    records = spread(processes, work(Doubling(tmp_path)), NAMES)
    assert list(islice(records, len(NAMES))) == doubled()
    del records
    assert not shards(tmp_path)


def test_a_job_that_refuses_ends_it_with_its_own_sentence(
    processes: Processes, tmp_path: Path
) -> None:
    # Each shard is refused at its first picture; which of them ends first is chance.
    with pytest.raises(HeadstartError, match=r"^picture \d\d is refused\.$"):
        list(spread(processes, work(Doubling(tmp_path), "refuse"), NAMES))


def test_shards_that_nobody_waits_for_any_more_are_not_made(
    processes: Processes, tmp_path: Path
) -> None:
    """The next call has the same processes; what it wants lies behind in their queue."""
    records = spread(processes, work(Doubling(tmp_path, takes_s=0.5)), NAMES)
    next(records)
    del records
    later = tmp_path / "later"
    later.mkdir()
    assert list(spread(processes, work(Doubling(later)), NAMES)) == doubled()
    assert 1 <= len(made(tmp_path)) <= 4, "two were made, and two more under way"


def test_a_process_that_dies_is_replaced_and_its_shard_made_again(
    processes: Processes, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    job = Doubling(tmp_path, dies_at="08", deaths=2)
    assert list(spread(processes, work(job), NAMES)) == doubled()
    assert len(list(tmp_path.glob("died.*"))) == 2
    figures("2 processes killed, the same bytes")


def test_a_shard_at_which_each_worker_dies_is_given_up(
    processes: Processes, tmp_path: Path
) -> None:
    job = Doubling(tmp_path, dies_at="00", deaths=99)
    with pytest.raises(HeadstartError, match=r"3 workers died .* the same 4 pictures, from 00 on"):
        list(spread(processes, work(job), NAMES[:4]))
    assert len(list(tmp_path.glob("died.*"))) == 1 + N_DEATHS


def test_shards_beside_one_at_which_workers_die_are_not_blamed(
    processes: Processes, tmp_path: Path
) -> None:
    job = Doubling(tmp_path, dies_at="04", deaths=99, takes_s=0.5)
    with pytest.raises(HeadstartError, match="the same 4 pictures, from 04 on"):
        list(spread(processes, work(job), NAMES))
    assert made(tmp_path) == ["00"] and len(list(tmp_path.glob("died.*"))) == 1 + N_DEATHS


def test_each_process_has_a_gpu_of_its_own(tmp_path: Path) -> None:
    workers = Processes(2, ["3", "GPU-5"], {"HEADSTART_WORKERS": "6", "HEADSTART_RAY": "x"})
    submit = workers._started().submit
    seen = [submit(_seen, 0.3) for _ in range(2)]
    assert sorted(future.result() for future in seen) == [("3", "3", None), ("GPU-5", "3", None)]
    workers.close()


def _seen(wait_s: float) -> tuple[str | None, ...]:
    time.sleep(wait_s)
    names = ("CUDA_VISIBLE_DEVICES", "HEADSTART_WORKERS", "HEADSTART_RAY")
    return tuple(os.environ.get(name) for name in names)


DRIVER = """
import os, signal, sys
from pathlib import Path
from headstart.cluster import chosen
from headstart.cluster.processes import Processes
from headstart.cluster.spread import spread
from tests.cluster.doubling import NAMES, Doubling, work

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    chosen.N_PICTURES = 4
    job = Doubling(Path(sys.argv[1]), takes_s=float(sys.argv[2]))
    for record in spread(Processes(2, [], os.environ), work(job), NAMES):
        print(record.decode(), flush=True)
"""

HELD = "    next(records := spread(Processes(2, [], os.environ), work(job), NAMES))\n"
HOLDER = DRIVER.partition("    for ")[0] + HELD


def drive(root: Path, driver: str = DRIVER, takes_s: float = 0.0) -> "subprocess.Popen[str]":
    (root / "driver.py").write_text(driver)
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, str(root / "driver.py"), str(root), str(takes_s)],
        cwd=root,
        env={**os.environ, "DVC_ROOT": str(root), "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_after(process: "subprocess.Popen[str]", root: Path, n_shards: int) -> list[int]:
    """Kill a driver when so many shards were made; return the ids of its child processes."""
    while len(made(root)) < n_shards:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)
    children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return children


def test_a_driver_that_dies_goes_on_where_it_was_and_takes_its_processes_along(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    children = kill_after(drive(tmp_path, takes_s=0.3), tmp_path, 4)
    held = len(shards(tmp_path))
    assert held >= 1
    until = time.monotonic() + 20
    while any(psutil.pid_exists(child) for child in children):
        assert time.monotonic() < until
        time.sleep(0.05)
    before = len(made(tmp_path))
    again = drive(tmp_path)
    said, errors = again.communicate(timeout=120)
    assert said.split("\n")[:-1] == [record.decode() for record in doubled()]
    assert errors == ""
    assert len(made(tmp_path)) - before == 6 - held, "only what has no file is made"
    assert not shards(tmp_path)
    figures(f"driver killed, {held} of 6 shards were not made again, the same bytes")


@pytest.mark.parametrize("held", [False, True], ids=["Ctrl-C", "exit with the records held"])
def test_a_driver_that_ends_early_waits_for_no_further_shard(tmp_path: Path, held: bool) -> None:
    driver = drive(tmp_path, HOLDER if held else DRIVER, takes_s=1.0)
    while not (held or made(tmp_path)):
        assert driver.poll() is None
        time.sleep(0.02)
    if not held:
        driver.send_signal(signal.SIGINT)
    _, errors = driver.communicate(timeout=60)
    assert ("KeyboardInterrupt" in errors) is not held
    assert 1 <= len(made(tmp_path)) <= 4, "two were made, and two more under way"
