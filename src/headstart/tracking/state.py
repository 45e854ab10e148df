"""The state of a project: everything that a person compares, flattened and named by one digest."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One complete row of the tracker's table.

    Attributes:
        state: digest of `params` and `metrics` as they were before flattening, 64 hex digits.
        params: dotted key -> value, all sections.
        metrics: `<stage>.<dotted key>` -> number, all stages.
    """

    state: str
    params: dict[str, Any]
    metrics: dict[str, float]


def state_of(params: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return sha256 over the canonical JSON of both, in hex: order and style do not matter."""
    text = json.dumps({"params": params, "metrics": metrics}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def flatten(values: Any, key: str = "") -> dict[str, Any]:
    """Return dotted key -> leaf; the items of a list go by their number (`phases.0.lr`).

    An empty mapping or list under a key is a leaf of its own, so that nothing is lost.
    """
    return dict(_leaves(values, key))


def numbers(values: Any, key: str = "") -> dict[str, float]:
    """Return `flatten` of what is a number or a truth value (as 0 or 1), the rest left out."""
    return {k: float(v) for k, v in _leaves(values, key) if isinstance(v, int | float)}


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
