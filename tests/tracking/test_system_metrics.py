"""The machine's load, by choice."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from headstart.tracking.tell import tell
from tests.tracked import all_runs

pytestmark = pytest.mark.usefixtures("tracked_project")


def loads(wait: bool) -> set[str]:
    """The system metrics of a stage that ends once one is there, if `wait`."""

    def messages() -> Iterator[dict[str, Any]]:
        tags = {"headstart.stage": "resize", "headstart.record": "k"}
        yield {"start": {"name": "resize", "params": {}, "tags": tags, "started_ms": 1}}
        while wait and not all_runs()[0].data.metrics:
            time.sleep(0.1)
        yield {"end": {"status": "FINISHED", "ended_ms": 2, "artifacts": []}}

    tell(messages())
    [run] = all_runs()
    assert run.info.status == "FINISHED"
    return {name for name in run.data.metrics if name.startswith("system/")}


def test_the_load_is_logged_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "1")
    assert "system/cpu_utilization_percentage" in loads(wait=True)


def test_no_load_is_logged_by_default() -> None:
    assert loads(wait=False) == set()
