"""Ends the runs whose process was killed before it could say so."""

from typing import Any, Final

from headstart.tracking.process import TAG, is_gone
from headstart.tracking.runs import Runs, reason

GONE: Final = "the end of runs that were killed"


def end_gone(runs: Runs) -> None:
    """End as KILLED what still is RUNNING in the experiment, though its process is gone from here.

    Runs of other projects and machines stay. A failure raises nothing: it is a line in `missing`.
    """
    runs.begin(GONE, 0)
    try:
        found = runs.client.search_runs(
            [runs.experiment_id], "attributes.status = 'RUNNING'", max_results=1000
        )
        for run in found:
            if is_gone(run.data.tags.get(TAG, "")):
                run_id = str(run.info.run_id)
                runs.client.set_terminated(run_id, "KILLED", end_time=_last_sign_ms(runs, run))
    except Exception as error:
        runs.missing[GONE] = reason(error)


def _last_sign_ms(runs: Runs, run: Any) -> int:
    """When the run logged last, as far as one of its metrics tells; else when it started."""
    points = [
        point.timestamp
        for name in list(run.data.metrics)[:1]
        for point in runs.client.get_metric_history(run.info.run_id, name)
    ]
    return int(max(points, default=run.info.start_time))
