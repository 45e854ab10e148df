"""One section of params.yaml -> one typed, frozen object. Numbers have no other door."""

from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from headstart.core.errors import HeadstartError
from headstart.core.section import Section

S = TypeVar("S", bound=Section)

PARAMS_FILE = Path("params.yaml")


class ParamsError(HeadstartError):
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
    """One sentence a key: where, what was found, what is allowed."""
    problems: dict[str, tuple[str, list[str], str]] = {}
    for problem in error.errors():
        owner, loc = _resolve(model, problem["loc"])
        key = ".".join([name, *map(str, loc)])
        field = owner.model_fields.get(str(loc[-1])) if loc else None
        allowed = f" ({field.description})" if field and field.description else ""
        match problem["type"]:
            case "missing":
                verb, message = "is missing", ""
            case "extra_forbidden":
                known = ", ".join(owner.model_fields)
                verb, message = f"is not a key here (known: {known})", ""
            case _:
                verb = f"is {problem['input']!r}"
                message = problem["msg"].removeprefix("Value error, ")
        problems.setdefault(key, (verb, [], allowed))[1].append(message)
    return [
        f"{path}: {key} {verb}{': ' if any(messages) else ''}{' or '.join(messages)}{allowed}."
        for key, (verb, messages, allowed) in problems.items()
        # a list whose items are wrong is not wrong itself
        if not any(other.startswith(f"{key}.") for other in problems)
    ]


def _resolve(
    model: type[Section], loc: tuple[int | str, ...]
) -> tuple[type[Section], tuple[int | str, ...]]:
    """The section that holds the key at `loc`, and `loc` without pydantic's names of a union."""
    found: list[int | str] = []
    for part in loc:
        known = isinstance(part, int) or part in model.model_fields
        if not known and found and isinstance(found[-1], str):
            break  # a member of a union: the value itself is what is wrong
        found.append(part)
        if known and isinstance(part, str) and len(found) < len(loc):
            kinds = get_args(model.model_fields[part].annotation)
            model = next(
                (k for k in kinds if isinstance(k, type) and issubclass(k, Section)), model
            )
    return model, tuple(found)
