"""One section of params.yaml -> one typed, frozen object. Numbers have no other door."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from headstart.core.section import Section

S = TypeVar("S", bound=Section)

PARAMS_FILE = Path("params.yaml")


class ParamsError(ValueError):
    """params.yaml is missing, unreadable, or holds a value that is not allowed."""


def read_params(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Read the whole file as plain values, by the rules of YAML 1.2 (so 1e-05 is a number).

    Raises:
        ParamsError: the file is missing, is not YAML, or is not a mapping of sections.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} does not exist; copy one from recipes/.") from None
    except YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path} must hold sections (name: values), found {values!r}.")
    return values


def load_section(name: str, model: type[S], path: Path = PARAMS_FILE) -> S:
    """Read section `name` of `path` into `model`.

    Raises:
        ParamsError: names every problem of the section at once: file, dotted key, the value found
            and what is allowed.
    """
    values = read_params(path)
    if name not in values:
        raise ParamsError(f"{path} has no section {name}: (it has {', '.join(map(str, values))}).")
    try:
        return model.model_validate(values[name] if values[name] is not None else {})
    except ValidationError as error:
        raise ParamsError("\n".join(_sentences(path, name, error, model))) from None


def _sentences(path: Path, name: str, error: ValidationError, model: type[Section]) -> list[str]:
    """One sentence a problem: where, what was found, what is allowed."""
    lines = []
    for problem in error.errors():
        key = ".".join([name, *map(str, problem["loc"])])
        match problem["type"]:
            case "missing":
                lines.append(f"{path}: {key} is missing{_allowed(model, problem['loc'])}.")
            case "extra_forbidden":
                known = ", ".join(sorted(model.model_fields))
                lines.append(f"{path}: {key} is not a key of this section (known: {known}).")
            case _:
                allowed = _allowed(model, problem["loc"])
                message = problem["msg"].removeprefix("Value error, ")
                lines.append(f"{path}: {key} is {problem['input']!r}: {message}{allowed}.")
    return lines


def _allowed(model: type[Section], loc: tuple[int | str, ...]) -> str:
    """The description of the field at `loc` of a flat section, as the tail of a sentence."""
    field = model.model_fields.get(str(loc[0])) if loc else None
    return f" ({field.description})" if field and field.description else ""
