"""Make one complete row from all params and the metrics of all stages."""

from collections.abc import Mapping
from typing import Any

from headstart.tracking.state import Row, flatten, numbers, state_of


def publish_run(params: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]]) -> Row:
    """Return the row of the project state that `params` and `metrics` describe.

    Args:
        params: all sections of params.yaml, nested.
        metrics: stage in snake case -> its metrics, nested. A value that is not a number is no
            metric, but it is part of the state.
    """
    return Row(state_of(params, metrics), flatten(params), numbers(metrics))
