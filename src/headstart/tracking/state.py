"""The state of a project: all params and metrics, flattened, and identified by one digest."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One complete row of the tracker's table.

    Attributes:
        state: digest of `params` and `metrics` as they were before flattening, 64 hex digits.
        params: dotted key -> value, all sections.
        metrics: `<stage>.<dotted key>` -> result, all stages.
        counts: `<stage>.<dotted key>` -> whole number, all stages.
        data: digest of the tables of pictures and labels, 8 hex digits; "" if unknown.
        revision: what git calls the code; HEAD for the workspace.
    """

    state: str
    params: dict[str, Any]
    metrics: dict[str, float]
    counts: dict[str, int] = field(default_factory=dict)
    data: str = ""
    revision: str = "HEAD"


def state_of(params: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return sha256 (hex) of the canonical JSON of both; the order of keys does not matter."""
    text = json.dumps({"params": params, "metrics": metrics}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def flatten(values: Any, key: str = "") -> dict[str, Any]:
    """Return dotted key -> leaf; the key of a list item is its number (`phases.0.lr`).

    An empty mapping or list under a key is a leaf of its own, so that nothing is lost.
    """
    return dict(_leaves(values, key))


def numbers(values: Any, key: str = "") -> dict[str, float]:
    """Return the leaves of `flatten` that are numbers or truth values (as 0 or 1)."""
    return {k: float(v) for k, v in _leaves(values, key) if isinstance(v, int | float)}


def results(values: Any) -> dict[str, float]:
    """Return the `numbers` that are results.

    A whole number is none: it counts pictures or epochs, or it is a size in pixels.
    """
    counted = counts(values)
    return {k: v for k, v in numbers(values).items() if k not in counted}


def counts(values: Any) -> dict[str, int]:
    """Return the leaves of `flatten` that are whole numbers; a truth value is none."""
    return {k: v for k, v in _leaves(values, "") if type(v) is int}


def _leaves(values: Any, key: str) -> Iterator[tuple[str, Any]]:
    items: Iterator[tuple[Any, Any]]
    if values and isinstance(values, Mapping):
        items = iter(values.items())
    elif values and isinstance(values, list | tuple):
        items = iter(enumerate(values))
    else:
        if key:
            yield key, values
        return
    for name, value in items:
        yield from _leaves(value, f"{key}.{name}" if key else str(name))
