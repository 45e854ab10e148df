import sys
from pathlib import Path

import pytest
import torch

from headstart.cluster import chosen
from headstart.cluster.chosen import workers_for
from headstart.cluster.processes import Processes
from headstart.cluster.ray_workers import RayWorkers
from headstart.project.errors import HeadstartError


@pytest.fixture(autouse=True)
def _anew() -> None:
    chosen._ray.cache_clear()
    chosen._processes.cache_clear()


def test_without_a_variable_this_process_works_alone() -> None:
    assert workers_for(10**6, networks=True, environment={}) is None


@pytest.mark.parametrize("name", ["HEADSTART_PROCS", "HEADSTART_RAY"])
def test_few_pictures_do_not_pay_for_workers(name: str) -> None:
    assert workers_for(7, networks=True, environment={name: "2"}) is None


def test_processes_are_for_networks_and_not_for_the_ranks_of_a_training() -> None:
    two = {"HEADSTART_PROCS": "2"}
    assert isinstance(workers_for(8, networks=True, environment=two), Processes)
    assert workers_for(8, environment=two) is None
    assert workers_for(8, networks=True, environment=two | {"RANK": "0"}) is None
    assert workers_for(8, networks=True, environment={"HEADSTART_PROCS": "1"}) is None


def test_auto_is_one_process_for_each_visible_gpu() -> None:
    found = workers_for(8, networks=True, environment={"HEADSTART_PROCS": "auto"})
    assert (found is not None) == (torch.cuda.device_count() > 1)


@pytest.mark.parametrize("wanted", ["0", "two", "-1", "1.5"])
def test_a_number_of_processes_that_is_none_is_refused(wanted: str) -> None:
    with pytest.raises(HeadstartError, match=f"^HEADSTART_PROCS is '{wanted}'; it must be a whole"):
        workers_for(8, networks=True, environment={"HEADSTART_PROCS": wanted})


def test_a_word_for_a_shared_folder_is_refused() -> None:
    with pytest.raises(HeadstartError, match=r"^HEADSTART_SHARED is 'yes'; it must be 1"):
        workers_for(8, environment={"HEADSTART_SHARED": "yes"})


def test_without_ray_a_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        HeadstartError, match=r"Ray is not installed: pip install 'headstart\[ray\]'"
    ):
        RayWorkers("local", {})


def test_every_variable_is_in_the_table(repo_root: Path) -> None:
    table = (repo_root / "docs/pipeline.md").read_text()
    for name in ("HEADSTART_RAY", "HEADSTART_SHARED", "HEADSTART_PROCS"):
        assert f"| `{name}` |" in table
