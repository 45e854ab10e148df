"""Work that is kept for later runs stays in a test's own folder."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
