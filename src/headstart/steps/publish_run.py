"""Make one complete row from all params and the metrics of all stages."""

from collections.abc import Mapping
from typing import Any

from headstart.tracking.state import Row, counts, flatten, results, state_of


def publish_run(
    params: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    data: str = "",
    revision: str = "HEAD",
) -> Row:
    """Return the row of the project state that `params` and `metrics` describe.

    Args:
        params: all sections of params.yaml, nested.
        metrics: stage in snake case -> its metrics, nested. A value that is not a number is no
            metric, but it is part of the state.
        data: digest of the tables of pictures and labels, 8 hex digits; "" if unknown.
        revision: what git calls the code; HEAD for the workspace.
    """
    state = state_of(params, metrics)
    return Row(state, flatten(params), results(metrics), counts(metrics), data, revision)
