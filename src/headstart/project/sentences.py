"""Turns pydantic's errors into one sentence for each wrong key of params.yaml."""

import re
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from headstart.project.addresses import masked
from headstart.project.section import Section
from headstart.project.short import cut

SHOWN = 60  # characters of a wrong value in a sentence

KEY = "[key]"  # pydantic's last word of the place of a mapping's key

RAISED = "Value error, "  # pydantic's prefix to the message of a validator

WANTED = {
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "bool_type": "it must be true or false",
    "string_type": "it must be text",
    "tuple_type": "it must be a list",
    "dict_type": "it must be a mapping",
    "invalid_key": "it must be text",
    "model_type": "it must hold the keys",
    "missing": "",
    "extra_forbidden": "",
}
"""pydantic's error type -> what the file should hold, in YAML's words."""


def sentences(path: Path, name: str, error: ValidationError, model: type[Section]) -> list[str]:
    """What pydantic found in section `name` of `path`, one sentence a key.

    Each sentence names the key, the value found and what is allowed.
    """
    found: dict[str, _Problem] = {}
    for problem in error.errors():
        owner, loc = _resolve(model, problem["loc"])
        told = _of_several_keys if _is_of_several_keys(problem, loc) else _of_one_key
        new = told(problem, owner, [name, *loc])
        found.setdefault(new.key, new).wanted.append(_wanted(problem["type"], problem["msg"]))
    # a list whose items are wrong is not wrong itself
    outer = [key for key in found if any(other.startswith(f"{key}.") for other in found)]
    return [f"{path}: {problem}." for key, problem in found.items() if key not in outer]


class _Problem(NamedTuple):
    """What is wrong at one key.

    Attributes:
        key: dotted.
        found: how the sentence goes on after the key.
        wanted: what the key should hold, one text for each kind that a union allows; may be empty.
        allowed: how the sentence ends.
    """

    key: str
    found: str
    wanted: list[str]
    allowed: str

    def __str__(self) -> str:
        wanted = " or ".join(self.wanted).replace(" or it must be ", " or ")
        return f"{self.key}{self.found}{wanted}{self.allowed}"


def _is_of_several_keys(problem: ErrorDetails, loc: tuple[int | str, ...]) -> bool:
    """Whether a validator of a whole section, or of an item of a list of sections, raised it."""
    return problem["type"] == "value_error" and (not loc or isinstance(loc[-1], int))


def _of_several_keys(
    problem: ErrorDetails, owner: type[Section], place: list[int | str]
) -> _Problem:
    # The message begins with a key of the section, or with the section's name (core.section).
    first = re.split(r"\W", problem["msg"].removeprefix(RAISED), maxsplit=1)[0]
    if first == place[0]:
        return _Problem("", "", [], "")
    return _Problem(_dotted(place), "." if first in owner.model_fields else ": ", [], "")


def _of_one_key(problem: ErrorDetails, owner: type[Section], place: list[int | str]) -> _Problem:
    keys, known = _dotted(place), ", ".join(owner.model_fields)
    fields = [owner.model_fields[part] for part in place[1:] if part in owner.model_fields]
    # the first, as names in a mapping may be those of other keys
    allowed = f" ({fields[0].description})" if fields and fields[0].description else ""
    if problem["loc"][-1:] == (KEY,):
        return _Problem(
            keys, f" is the name {shown(problem['input'])}: ", [], f", in quotes{allowed}"
        )
    match problem["type"]:
        case "missing":
            return _Problem(keys, " is missing", [], allowed)
        case "extra_forbidden":
            return _Problem(keys, f" is not a key here (known: {known})", [], "")
        case "model_type":
            return _Problem(keys, f" is {shown(problem['input'])}: ", [], f" {known}")
    return _Problem(keys, f" is {shown(problem['input'])}: ", [], allowed)


def _dotted(place: list[int | str]) -> str:
    return ".".join(map(str, place))


def _wanted(kind: str, message: str) -> str:
    """What the file should hold, in YAML's words; pydantic's messages speak of Python's types."""
    if kind in WANTED:
        return WANTED[kind]
    message = re.sub(
        "^(Input|Tuple|String|Dictionary) should ", "it must ", message.removeprefix(RAISED)
    )
    return message.replace(" after validation", "").rstrip(".")


def shown(value: object) -> str:
    """A wrong value as the file has it, or the beginning of it; without the secrets of an address."""
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
    return cut(masked(text, {}), SHOWN)


def _resolve(
    model: type[Section], loc: tuple[int | str, ...]
) -> tuple[type[Section], tuple[int | str, ...]]:
    """The section that holds the key at `loc`, and `loc` without pydantic's names for union members."""
    found: list[int | str] = []
    is_key = True  # whether a word that comes next is a key of `model`, or of a mapping
    n_names = 0  # so many of the next words are names of a mapping
    for place, part in enumerate(loc, start=1):
        if part == KEY or (isinstance(part, str) and not is_key):
            break  # a member of a union: the value itself is what is wrong
        found.append(part)
        if isinstance(part, str):
            inner = _section_in(model, part)
            n_names = max(n_names - 1, _depth_at(model, part))
            is_key = n_names > 0 or inner is not None
            model = inner if inner and place < len(loc) else model
    return model, tuple(found)


def _section_in(model: type[Section], key: str) -> type[Section] | None:
    """The Section class of the items of the list at `key`; None if they are no sections."""
    if key not in model.model_fields:
        return None
    kinds = get_args(model.model_fields[key].annotation)
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)


def _depth_at(model: type[Section], key: str) -> int:
    """How many names in turn lead to a value of `key`: 2 for a mapping of mappings, 0 for none."""
    return _depth(model.model_fields[key].annotation) if key in model.model_fields else 0


def _depth(annotation: Any) -> int:
    if hasattr(annotation, "__metadata__"):
        return _depth(annotation.__origin__)
    kinds = get_args(annotation)
    if get_origin(annotation) is dict:
        return 1 + _depth(kinds[1])
    return max(map(_depth, kinds)) if get_origin(annotation) in (Union, UnionType) else 0
