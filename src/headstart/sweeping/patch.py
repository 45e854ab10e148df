"""The best settings as a unified diff of params.yaml; comments and order of the file stay."""

import re
from difflib import unified_diff
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from headstart.project.errors import HeadstartError
from headstart.project.yaml_file import YamlFileError, parse_yaml
from headstart.sweeping.settings import Settings, value_at, with_settings, yaml_scalar

VALUE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|[^\s,\[\]{}]+")
N_CONTEXT = 1  # lines around a change, so that the patch fits a screen
COMMENT = re.compile(r"( +)(?=#)")


def changed_text(text: str, settings: Settings, path: Path) -> str:
    """The text of a params file with other values; everything else keeps its bytes and columns.

    Args:
        text: of the file, with its own line ends.
        settings: keys must exist.
        path: of the file, for messages.

    Raises:
        YamlFileError: the text is not YAML.
        HeadstartError: a key does not exist; or its value cannot be replaced in its place, because the
            file writes it over several lines, by an alias, or merges it in.
    """
    wanted = with_settings(parse_yaml(text.encode(), path), settings)
    content, lines = YAML().load(text), re.split(r"(?<=\n)", text)
    places = {}
    for key, value in settings.items():
        if place := _place(content, key):  # without one the change below does not hold
            places[place] = yaml_scalar(value)
    for line, column in sorted(places, reverse=True):  # so that columns before it stay
        lines[line] = _with_value(lines[line], column, places[line, column])
    changed = "".join(lines)
    if not _holds(changed, wanted, path):
        raise HeadstartError(
            f"{path} writes one of {', '.join(settings)} in a form that cannot be replaced in its "
            "place. Set by hand: "
            + ", ".join(f"{key}={yaml_scalar(value)}" for key, value in settings.items())
        )
    return changed


def unified(before: str, after: str, path: Path) -> str:
    """The change as `git apply` and `patch -p1` take it; empty where nothing differs."""
    name = path.as_posix()
    old, new = (re.split(r"(?<=\n)", text) for text in (before, after))
    old, new = ([line for line in lines if line] for lines in (old, new))
    diff = unified_diff(old, new, f"a/{name}", f"b/{name}", n=N_CONTEXT)
    marked = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff
    )
    return "".join(marked)


def _place(content: Any, key: str) -> tuple[int, int] | None:
    """Line and column, from 0, where the value of a key begins; None for a key that is merged in."""
    above, _, last = key.rpartition(".")
    try:
        section: Any = value_at(content, above)
    except HeadstartError:
        return None
    places = section.lc.data or {}
    found = places.get(int(last) if isinstance(section, list) else last)
    return (found[-2], found[-1]) if found else None


def _holds(text: str, wanted: object, path: Path) -> bool:
    """Whether the text is YAML that holds `wanted`."""
    try:
        return bool(parse_yaml(text.encode(), path) == wanted)
    except YamlFileError:
        return False


def _with_value(line: str, column: int, value: str) -> str:
    """The line with the value at `column` replaced; a comment stays in its column if it can."""
    found: Any = VALUE.match(line, column)
    if found is None:
        return line  # changed_text finds that nothing has changed
    rest = line[found.end() :]
    grown = len(value) - (found.end() - found.start())
    rest = COMMENT.sub(lambda gap: " " * max(len(gap[1]) - grown, 1), rest, count=1)
    return f"{line[:column]}{value}{rest}"
