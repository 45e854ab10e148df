"""A project with the default params and sources."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from headstart.project.params import PARAMS_FILE

ROOT = Path(__file__).parents[2]
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """A project with the default params and sources; returns what changes its dotted keys."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "sources", tmp_path / "sources")
    monkeypatch.chdir(tmp_path)

    def change(changes: dict[str, Any]) -> None:
        yaml = YAML()
        params = yaml.load(PARAMS_FILE)
        for key, value in changes.items():
            section, _, name = key.partition(".")
            params[section][name] = value
        yaml.dump(params, PARAMS_FILE)

    return change
