"""Load of CPU, memory, disk, network and GPUs while a stage runs, if the user wants it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from headstart.tracking.store import tracking_uri


@contextmanager
def system_metrics(run_id: str) -> Iterator[None]:
    """Log the machine's load to the run while the body runs.

    It happens only where MLflow's own MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING is true, every 10 s or as
    MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL says. What MLflow cannot measure here costs nothing.
    """
    from mlflow import environment_variables

    wanted: Any = environment_variables.MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
    if not wanted.get():
        yield
        return
    from mlflow.system_metrics import system_metrics_monitor

    monitors: Any = system_metrics_monitor
    monitor = monitors.SystemMetricsMonitor(run_id, tracking_uri=tracking_uri())
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
