"""Work that is kept for later runs stays in a test's own folder; shards are small."""

from pathlib import Path

import pytest

from headstart.cluster import chosen


@pytest.fixture(autouse=True)
def _own_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(chosen, "N_PICTURES", 4)
