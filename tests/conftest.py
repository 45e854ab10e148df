"""Shared fixtures; and no tracker, experiment or thread setting of the user reaches a test."""

import json
import os
import re
import shutil

# The workers of a test run share the cores, so torch's threads would only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch

from headstart.tracking.start import start
from headstart.tracking.tracker import Tracker
from tests.tracked import TellerInProcess

start()  # as in a stage; most tests load torch

OURS = ("MLFLOW_", "DVC_", "HEADSTART_")
FIGURES = os.environ.get("HEADSTART_FIGURES")


@pytest.fixture(scope="session", autouse=True)
def _warm_processes() -> Iterator[None]:
    """The warm processes of whole projects serve this run of the tests alone, and end with it."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture(autouse=True)
def _no_outer_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HEADSTART_WARM", "0")  # no process outlives its test
    monkeypatch.setenv("HEADSTART_TRACKER_S", "600")  # on a busy machine all is told too


@pytest.hookimpl(tryfirst=True)  # before pytest leaves tests out by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the end-to-end tests first: they take longest, so none should start last.

    What is marked `long` counts as one, so that `-m "not end_to_end"` leaves it out too.
    """
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("end_to_end")
    items.sort(key=lambda item: item.get_closest_marker("end_to_end") is None)


@pytest.fixture
def repo_root() -> Path:
    return Path(__file__).parents[1]


@pytest.fixture
def torch_threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of torch's threads until the test ends."""
    n = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(n)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keeps what a test found, for docs/guarantees.md, where HEADSTART_FIGURES names a folder.

    It is a phrase with counts and shares, like "100 kills, 100 with the same bytes".
    """

    def keep(phrase: str) -> None:
        if FIGURES:
            Path(FIGURES).mkdir(parents=True, exist_ok=True)
            test = re.sub(r"[^\w.-]+", "_", request.node.nodeid)
            about = {"test": request.node.nodeid, "figures": phrase}
            Path(FIGURES, f"{test}.json").write_text(json.dumps(about) + "\n")

    return keep


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its experiment, made once, because that takes MLflow seconds."""
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        Tracker()
    return root / "mlflow.db"


@pytest.fixture
def tracked_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Path:
    """A project with an empty store, seen from a temporary copy of it."""
    root, copy = tmp_path / "a project", tmp_path / "copy"
    root.mkdir()
    copy.mkdir()
    shutil.copy(empty_store, root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(copy)
    return root


@pytest.fixture
def told_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of what is told: the runs of its stages reach MLflow when they end."""
    monkeypatch.setattr("headstart.tracking.teller.Teller", TellerInProcess)
