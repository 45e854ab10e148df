"""One section of params.yaml -> one typed, frozen object. Numbers have no other door."""

import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from headstart.core.errors import HeadstartError
from headstart.core.section import Section
from headstart.store.yaml_file import YamlFileError, parse_yaml, read_bytes

S = TypeVar("S", bound=Section)

PARAMS_FILE = Path("params.yaml")
SHOWN = 60  # characters of a wrong value in a sentence

WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "invalid_key": "text",
}
"""pydantic's type of an error -> what should stand in the file, in YAML's words."""


class ParamsError(HeadstartError):
    """params.yaml is missing, unreadable, or holds a value that is not allowed."""


def read_params(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Read the whole file as plain values.

    Raises:
        ParamsError: the file is missing, is not YAML, or is not a mapping of sections.
    """
    try:
        values = deepcopy(_parsed(read_bytes(path), path))
    except FileNotFoundError:
        raise ParamsError(f"{path} does not exist; copy one from recipes/.") from None
    except YamlFileError as error:
        raise ParamsError(str(error)) from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path} must hold sections (name: values), found {_shown(values)}.")
    return values


def load_section(name: str, model: type[S]) -> S:
    """Section `name` of params.yaml, for a stage.

    All sections are checked, not this one alone, so that no stage works for an hour before a later
    one refuses its numbers. `checks.whole_file` remembers a file that was found right.

    Raises:
        ParamsError: names every problem of every section, in one sentence each.
    """
    # late, as the checks read sections, too
    from headstart.checks.whole_file import require_right_file

    require_right_file(PARAMS_FILE, at_sources=name == "dataset")
    return read_section(name, model)


def read_section(name: str, model: type[S], path: Path = PARAMS_FILE) -> S:
    """Read section `name` of `path` into `model`, whatever the other sections hold.

    Raises:
        ParamsError: as `parse_section` and `read_params`.
    """
    return parse_section(name, model, read_params(path), path)


def parse_section(name: str, model: type[S], values: Mapping[str, Any], path: Path) -> S:
    """Section `name` of `values`, which were read from `path`.

    Raises:
        ParamsError: names every problem of the section at once: file, dotted key, the value found
            and what is allowed.
    """
    if name not in values:
        raise ParamsError(f"{path} has no section {name}: (it has {', '.join(map(str, values))}).")
    try:
        return model.model_validate(values[name] if values[name] is not None else {})
    except ValidationError as error:
        raise ParamsError("\n".join(_sentences(path, name, error, model))) from None


@cache
def _parsed(data: bytes, path: Path) -> Any:
    """The content of a file: a stage reads several sections of the same one."""
    return parse_yaml(data, path)


def _sentences(path: Path, name: str, error: ValidationError, model: type[Section]) -> list[str]:
    """One sentence a key: where, what was found, what is allowed."""
    found: dict[str, tuple[str, list[str], str]] = {}
    for problem in error.errors():
        owner, loc = _resolve(model, problem["loc"])
        key = ".".join([name, *map(str, loc)])
        fields = [owner.model_fields[part] for part in loc if part in owner.model_fields]
        allowed = f" ({fields[-1].description})" if fields and fields[-1].description else ""
        value, message = (
            f" is {_shown(problem['input'])}: ",
            _wanted(problem["type"], problem["msg"]),
        )
        match problem["type"]:
            case "missing":
                value, message = " is missing", ""
            case "extra_forbidden":
                value, message = f" is not a key here (known: {', '.join(owner.model_fields)})", ""
            case "model_type":
                message, allowed = f"it must hold the keys {', '.join(owner.model_fields)}", ""
            case "value_error" if not loc or isinstance(loc[-1], int):  # of several keys together
                first = re.split(r"\W", message, maxsplit=1)[0]
                key = name if first == name else key
                value, allowed = "." if first in owner.model_fields else ": ", ""
                if first == name:
                    value, message = "", message.removeprefix(name)
        found.setdefault(key, (value, [], allowed))[1].append(message)
    return [
        f"{path}: {key}{value}{' or '.join(messages).replace(' or it must be ', ' or ')}{allowed}."
        for key, (value, messages, allowed) in found.items()
        # a list whose items are wrong is not wrong itself
        if not any(other.startswith(f"{key}.") for other in found)
    ]


def _wanted(kind: str, message: str) -> str:
    """What should stand in the file, in YAML's words; pydantic's say more of Python."""
    if kind in WANTED:
        return f"it must be {WANTED[kind]}"
    message = re.sub("^(Input|Tuple|String) should ", "it must ", message)
    return message.removeprefix("Value error, ").replace(" after validation", "").rstrip(".")


def _shown(value: object) -> str:
    """A wrong value as the file has it, or the beginning of it."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "empty"
        case dict():
            return f"a mapping ({_cut(', '.join(map(str, value)))})"
        case list():
            return f"a list ({_cut(', '.join(map(str, value)))})" if value else "an empty list"
        case float():
            return str(value).replace("inf", ".inf").replace("nan", ".nan")
        case _:
            return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _resolve(
    model: type[Section], loc: tuple[int | str, ...]
) -> tuple[type[Section], tuple[int | str, ...]]:
    """The section that holds the key at `loc`, and `loc` without pydantic's names of a union."""
    found: list[int | str] = []
    is_key = True  # whether a word that comes next is a key of `model`
    for place, part in enumerate(loc, start=1):
        if isinstance(part, str) and not is_key:
            break  # a member of a union: the value itself is what is wrong
        found.append(part)
        if isinstance(part, str):
            inner = _section_in(model, part)
            is_key = inner is not None
            model = inner if inner and place < len(loc) else model
    return model, tuple(found)


def _section_in(model: type[Section], key: str) -> type[Section] | None:
    """The Section that the items of the list at `key` are; None where they are no sections."""
    if key not in model.model_fields:
        return None
    kinds = get_args(model.model_fields[key].annotation)
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)
