"""The params and the inputs in which two runs differ."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from headstart.tracking.state import flatten


class ChangedParam(NamedTuple):
    """One dotted key with both values, as text; "-" where a run has no such key."""

    key: str
    a: str
    b: str


def changed_params(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[ChangedParam]:
    """The params in which `a` and `b` (section -> values) differ, in the order of `a`, then of `b`.

    The key of a list item is its number (`phases.0.lr`).
    """
    of_a, of_b = flatten(a), flatten(b)
    missing = object()
    return [
        ChangedParam(key, *(_text(of[key]) if key in of else "-" for of in (of_a, of_b)))
        for key in of_a | of_b
        if of_a.get(key, missing) != of_b.get(key, missing)
    ]


def changed_inputs(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    """The sorted paths whose digests differ in `a` and `b`, or which one of them lacks."""
    return sorted(path for path in a.keys() | b.keys() if a.get(path) != b.get(path))


def _text(value: object) -> str:
    """A value as params.yaml has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if value != "" else '""'
