"""The params and the inputs in which two runs differ."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from headstart.tracking.state import flatten


class Absent(Enum):
    """Stands for the value of a key that a run does not have."""

    ABSENT = "-"


class ChangedParam(NamedTuple):
    """One dotted key with the values of both runs."""

    key: str
    a: Any
    b: Any

    def values(self) -> dict[str, Any]:
        """`a` and `b`, as far as the run has the key."""
        both = {"a": self.a, "b": self.b}
        return {which: value for which, value in both.items() if value is not Absent.ABSENT}

    def texts(self) -> tuple[str, str]:
        """The values of a and b as params.yaml has them; "-" where a run has no such key."""
        return _text(self.a), _text(self.b)


def changed_params(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[ChangedParam]:
    """The params in which `a` and `b` (section -> values) differ, in the order of `a`, then of `b`.

    The key of a list item is its number (`phases.0.lr`).
    """
    of_a, of_b = flatten(a), flatten(b)
    both = [(key, *(of.get(key, Absent.ABSENT) for of in (of_a, of_b))) for key in of_a | of_b]
    return [ChangedParam(*change) for change in both if change[1] != change[2]]


def changed_inputs(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    """The sorted paths whose digests differ in `a` and `b`, or which one of them lacks."""
    return sorted(path for path in a.keys() | b.keys() if a.get(path) != b.get(path))


def _text(value: object) -> str:
    match value:
        case Absent():
            return str(value.value)
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case "":
            return '""'
        case _:
            return str(value)
