"""What all tests share: no tracker, experiment or thread setting of the user's reaches a test."""

import os
from pathlib import Path

import pytest

from headstart.tracking import Tracker

OURS = ("MLFLOW_", "DVC_", "HEADSTART_")


@pytest.fixture(autouse=True)
def _no_outer_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)


@pytest.fixture
def repo_root() -> Path:
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its experiment: to make one takes MLflow seconds."""
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        Tracker()
    return root / "mlflow.db"
