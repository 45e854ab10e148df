"""Reads a section of params.yaml into a typed, frozen object; no number comes from elsewhere."""

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from headstart.project.errors import HeadstartError
from headstart.project.section import Section
from headstart.project.sentences import sentences, shown
from headstart.project.yaml_file import YamlFileError, parse_yaml, read_bytes

S = TypeVar("S", bound=Section)

PARAMS_FILE = Path("params.yaml")


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
        raise ParamsError(f"{path} must hold sections (name: values), found {shown(values)}.")
    return values


def read_section(name: str, model: type[S], path: Path = PARAMS_FILE) -> S:
    """Read section `name` of `path` into `model`, whatever the other sections hold.

    Raises:
        ParamsError: as `parse_section` and `read_params`.
    """
    return parse_section(name, model, read_params(path), path)


def parse_section(name: str, model: type[S], values: Mapping[str, Any], path: Path) -> S:
    """Section `name` of `values`, which were read from `path`.

    Raises:
        ParamsError: the section is missing or wrong; the message names every problem at once: file,
            dotted key, the value found and what is allowed.
    """
    if name not in values:
        raise ParamsError(f"{path} has no section {name} (it has {', '.join(map(str, values))}).")
    try:
        return model.model_validate(values[name] if values[name] is not None else {})
    except ValidationError as error:
        raise ParamsError("\n".join(sentences(path, name, error, model))) from None


@cache
def _parsed(data: bytes, path: Path) -> Any:
    """The parsed content of a file; cached, as a stage reads several of its sections."""
    return parse_yaml(data, path)
