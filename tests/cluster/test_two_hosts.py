"""A Ray cluster of two hosts, which are network namespaces of this machine; one host dies.

Needs Ray, root and `ip`; without them the test is skipped.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cluster.doubling import doubled, made
from tests.cluster.test_processes import DRIVER

HEAD, OTHER = "10.77.0.1", "10.77.0.2"
PORT = 6399
DRIVER_ON_HOSTS = DRIVER.replace(
    "from headstart.cluster.processes import Processes",
    "from headstart.cluster.ray_workers import RayWorkers",
).replace("Processes(2, [], os.environ)", f'RayWorkers("{HEAD}:{PORT}", os.environ)')

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and ip"),
]


class Host:
    """A network namespace and the processes in it."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name, self.environment = name, environment

    def start(self, *command: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, sys.executable, *command],
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ray(self, *arguments: str) -> None:
        """Run `ray start`."""
        limits = ("--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats")
        started = self.start("-m", "ray.scripts.scripts", "start", *arguments, *limits)
        said, errors = started.communicate(timeout=240)
        assert started.returncode == 0, said + errors

    def die(self) -> None:
        """Kill every process of the host."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True)
        for pid in found.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def two_hosts(root: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts with a cable between them; all that runs on them ends with the block."""
    mark = f"hs{os.getpid() % 100000}"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    token = root / "token"
    token.write_text("0123456789abcdef" * 4)
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "DVC_ROOT": str(root),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
    }
    hosts = Host(f"{mark}a", environment), Host(f"{mark}b", environment)
    with ExitStack() as after:
        for host in hosts:
            try:
                ip("netns", "add", host.name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespaces here: {error.stderr.decode()}")
            after.callback(ip, "netns", "del", host.name)
            after.callback(host.die)
        ip("link", "add", f"{mark}c", "type", "veth", "peer", "name", f"{mark}d")
        for host, address, end in zip(hosts, (HEAD, OTHER), (f"{mark}c", f"{mark}d"), strict=True):
            ip("link", "set", end, "netns", host.name)
            ip("-n", host.name, "addr", "add", f"{address}/24", "dev", end)
            ip("-n", host.name, "link", "set", end, "up")
            ip("-n", host.name, "link", "set", "lo", "up")
        yield hosts


def test_a_host_that_dies_costs_only_time(tmp_path: Path, figures: Callable[[str], None]) -> None:
    pytest.importorskip("ray")
    (tmp_path / "driver.py").write_text(DRIVER_ON_HOSTS)
    with TemporaryDirectory(prefix="ray") as short, two_hosts(tmp_path) as (head, other):
        own = ("--include-dashboard=0", f"--temp-dir={short}")  # so that no later `auto` finds it
        head.ray("--head", f"--node-ip-address={HEAD}", f"--port={PORT}", *own)
        other.ray(f"--address={HEAD}:{PORT}", f"--node-ip-address={OTHER}")
        stranger = other.start(
            str(tmp_path / "driver.py"), str(tmp_path), "0", RAY_AUTH_MODE="disabled"
        )
        _, refused = stranger.communicate(timeout=240)
        assert "refuses this machine's token" in refused
        driver = head.start(str(tmp_path / "driver.py"), str(tmp_path), "3")
        while len({file.name.split(".")[2] for file in tmp_path.glob("made.*")}) < 2:
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.05)
        n_before = len(made(tmp_path))
        other.die()
        said, errors = driver.communicate(timeout=240)
        assert said.split("\n")[:-1] == [record.decode() for record in doubled()], errors
        assert errors == ""
        assert n_before < 6
    figures(f"1 of 2 hosts killed after {n_before} of 6 shards, the same bytes")
