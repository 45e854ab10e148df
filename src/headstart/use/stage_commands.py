"""Reads the commands of stages, as dvc.yaml and dvc.lock have them."""

import shlex
from itertools import pairwise
from typing import Any


def given(command: object, option: str) -> list[str]:
    """The paths behind `option` in a `cmd`, in their order; a `cmd` may be a list of commands."""
    words = [word for one in as_list(command) for word in _words(one)]
    return [path for word, path in pairwise(words) if word == option]


def as_list(value: object) -> list[Any]:
    """A value of dvc.yaml that may stand alone or in a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _words(command: object) -> list[str]:
    """The words of a command; none of what a shell alone can read."""
    try:
        return shlex.split(command) if isinstance(command, str) else []
    except ValueError:  # a quotation without its end, as in a comment
        return []
