"""Values of params.yaml by their dotted keys (`train_augmented.phases.0.lr`)."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from headstart.project.errors import HeadstartError

Value = int | float | str | bool
Settings = Mapping[str, Value]
"""Dotted key -> the value that differs from params.yaml."""


def value_at(values: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key; a number in the key counts the items of a list from 0.

    An empty key stands for all of `values`.

    Raises:
        HeadstartError: there is no such key; the message names those that are there.
    """
    place: Any = values
    parts = key.split(".") if key else []
    for n, part in enumerate(parts):
        known = [str(name) for name in (range(len(place)) if isinstance(place, list) else place)]
        if part not in known:
            where = ".".join(parts[:n]) or "params.yaml"
            raise HeadstartError(f"{key} does not exist: {where} has {', '.join(known)}.")
        place = place[int(part) if isinstance(place, list) else part]
        if n + 1 < len(parts) and not isinstance(place, dict | list):
            raise HeadstartError(f"{key} does not exist: {'.'.join(parts[: n + 1])} is {place!r}.")
    return place


def with_settings(values: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """A copy of the sections `values` with other values at the dotted keys of `settings`.

    Raises:
        HeadstartError: a key does not exist.
    """
    changed = deepcopy(dict(values))
    for key, value in settings.items():
        above, _, last = key.rpartition(".")
        value_at(changed, key)
        place = value_at(changed, above)
        place[int(last) if isinstance(place, list) else last] = value
    return changed


def yaml_scalar(value: Value) -> str:
    """A value as YAML 1.1 and 1.2 read it: text of several words is quoted.

    1e-05 becomes 1.0e-05, which both take for a number.
    """
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if isinstance(value, str) and " " in value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text
