"""The name of a row: what differs from the row before."""

from collections.abc import Mapping, Sequence

N_NAMED = 2  # changes that a name spells out
MAX_VALUE = 24  # characters of a value in a name
MAX_NAME = 80  # characters of a name that is no change


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return a `key=value` for each param that differs, in the order of `now`.

    A param that only `before` has becomes `no key`.
    """
    changed = [f"{key}={_short(value)}" for key, value in now.items() if before.get(key) != value]
    return changed + [f"no {key}" for key in before if key not in now]


def row_name(changed: Sequence[str], experiment: str, subject: str) -> str:
    """Return the name of a row; it is never a hash.

    Args:
        changed: what differs from the row before; two are named, the others counted.
        experiment: name of DVC's experiment, the name where nothing differs; may be "".
        subject: first line of the commit's message, the name where there is no experiment.
    """
    if not changed:
        return (experiment or subject or "run")[:MAX_NAME]
    more = f", +{len(changed) - N_NAMED}" if len(changed) > N_NAMED else ""
    return ", ".join(changed[:N_NAMED]) + more


def _short(value: str) -> str:
    """Return the end of a long value: of a path, the part that names the file."""
    return value if len(value) <= MAX_VALUE else f"…{value[1 - MAX_VALUE :]}"
