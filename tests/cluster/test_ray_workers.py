"""Ray's tasks as workers. Without Ray (`pip install 'headstart[ray]'`) these tests are skipped."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headstart.cluster import ray_workers
from headstart.cluster.jobs import Needs
from headstart.cluster.ray_workers import RayWorkers
from headstart.cluster.spread import spread
from headstart.project.errors import HeadstartError
from tests.cluster.doubling import NAMES, Doubling, doubled, made, opened, shards, work
from tests.cluster.test_processes import DRIVER, drive, kill_after

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def workers() -> Iterator[RayWorkers]:
    """Ray on this machine, with two cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_workers, "n_workers", lambda: 2)
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # for another process's jobs
        yield RayWorkers("local", os.environ)
    ray.shutdown()


@pytest.mark.parametrize("ships", [False, True])
def test_records_come_in_order_and_a_worker_opens_the_job_once(
    workers: RayWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ships: bool
) -> None:
    monkeypatch.setattr(workers, "ships", ships)
    job = Doubling(tmp_path, takes_s=0.05)
    assert list(spread(workers, work(job), NAMES)) == doubled()
    assert made(tmp_path) == NAMES[::4]
    assert opened(tmp_path) <= 2
    assert not shards(tmp_path)


def test_a_worker_that_dies_is_replaced_and_its_shard_made_again(
    workers: RayWorkers, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    job = Doubling(tmp_path, dies_at="08")
    assert list(spread(workers, work(job), NAMES)) == doubled()
    assert len(list(tmp_path.glob("died.*"))) == 1
    figures("1 worker of Ray killed, the same bytes")


@pytest.mark.long
def test_a_shard_at_which_each_worker_dies_is_given_up(workers: RayWorkers, tmp_path: Path) -> None:
    job = Doubling(tmp_path, dies_at="00", deaths=99)
    with pytest.raises(HeadstartError, match="4 workers of Ray on this machine died"):
        list(spread(workers, work(job), NAMES))


def test_a_job_that_refuses_ends_it_with_its_own_sentence(
    workers: RayWorkers, tmp_path: Path
) -> None:
    with pytest.raises(HeadstartError, match=r"^picture \d\d is refused\.$"):
        list(spread(workers, work(Doubling(tmp_path), "refuse"), NAMES))


@pytest.mark.parametrize(
    ("needs", "said"), [(Needs(3), "3 free cores"), (Needs(1, gpu=True), "a free core and a GPU")]
)
def test_what_no_machine_has_is_said_at_once(
    workers: RayWorkers, tmp_path: Path, needs: Needs, said: str
) -> None:
    with pytest.raises(
        HeadstartError, match=f"has no machine with {said}, .* it has 1 .*, 2 cores and 0 GPUs"
    ):
        list(spread(workers, work(Doubling(tmp_path), needs=needs), NAMES))


def test_a_cluster_whose_cores_are_busy_is_said_to_be_so(
    workers: RayWorkers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    figures: Callable[[str], None],
) -> None:
    monkeypatch.setattr(ray_workers, "FREE_S", 0.5)
    monkeypatch.setattr(ray_workers, "AGAIN_S", 0.5)
    held, release = tmp_path / "held", tmp_path / "release"

    def hold() -> None:
        held.touch()
        while not release.exists():
            time.sleep(0.05)

    taken = ray.remote(hold).options(num_cpus=2).remote()
    # No core is free either where the test before still has them for a moment.
    while not held.exists() or ray.available_resources().get("CPU", 0):
        time.sleep(0.05)
    threading.Timer(2.0, release.touch).start()
    monkeypatch.setattr(workers, "_ready", set())
    assert list(spread(workers, work(Doubling(tmp_path)), NAMES)) == doubled()
    ray.get(taken)
    said = capfd.readouterr()
    sentence = (
        "Waiting for a free core: Ray on this machine has 1 machine(s), 2 cores and 0 GPUs, of which "
        "0 cores and 0 GPUs are free. "
    )
    assert said.err.count(sentence) >= 2
    assert said.out == ""
    figures("a cluster without free cores: said, and said again")


def test_an_address_where_nobody_listens_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(HeadstartError, match=f"HEADSTART_RAY is '{address}', but nobody answers"):
        RayWorkers(address, {})
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("address", ["here", "10.0.0.1", ":6379", "host:port"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(HeadstartError, match=f"HEADSTART_RAY is '{address}'; it must be auto"):
        RayWorkers(address, {})


RAY_DRIVER = DRIVER.replace(
    "from headstart.cluster.processes import Processes",
    "from headstart.cluster.ray_workers import RayWorkers",
).replace("Processes(2, [], os.environ)", 'RayWorkers("local", os.environ)')


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        (
            "auto",
            ConnectionError("Could not find any running Ray instance."),
            "no Ray runs on this",
        ),
        ("auto", RuntimeError("InvalidAuthToken: x\ny"), "refuses this machine's token"),
        (
            "local",
            RuntimeError("Version mismatch: x"),
            "cannot join that cluster .Version mismatch",
        ),
    ],
)
def test_what_ray_raises_becomes_a_sentence(
    monkeypatch: pytest.MonkeyPatch, address: str, error: Exception, said: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(HeadstartError, match=f"^HEADSTART_RAY is '?{address}'?, but .*{said}"):
        RayWorkers(address, {})


@pytest.mark.long
@pytest.mark.usefixtures("workers")
def test_another_process_joins_the_ray_that_runs_here(tmp_path: Path) -> None:
    said, errors = drive(tmp_path, RAY_DRIVER.replace('"local"', '"auto"')).communicate()
    assert said.split("\n")[:-1] == [record.decode() for record in doubled()]
    assert errors == ""


@pytest.mark.long
def test_a_driver_that_dies_goes_on_where_it_was(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    kill_after(drive(tmp_path, RAY_DRIVER, takes_s=0.5), tmp_path, 4)
    time.sleep(3)  # what was under way ends with its driver
    held, before = len(shards(tmp_path)), len(made(tmp_path))
    assert held >= 1
    said, errors = drive(tmp_path, RAY_DRIVER).communicate()
    assert said.split("\n")[:-1] == [record.decode() for record in doubled()]
    assert errors == ""
    assert len(made(tmp_path)) - before == 6 - held
    figures(f"driver killed, {held} of 6 shards were not made again, the same bytes")


@pytest.mark.long
def test_ray_says_nothing_on_the_terminal_even_if_a_worker_dies(tmp_path: Path) -> None:
    code = RAY_DRIVER.replace("takes_s=float(sys.argv[2])", "dies_at='04', deaths=2")
    said, errors = drive(tmp_path, code).communicate()
    assert said.split("\n")[:-1] == [record.decode() for record in doubled()]
    assert errors == ""
