"""Files under sources/, and paths in params.yaml that name a source."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from headstart.project.addresses import masked
from headstart.project.located import SourceError
from headstart.project.sentences import shown
from headstart.project.short import cut
from headstart.project.yaml_file import YamlFileError, read_yaml

SOURCES = Path("sources")


def checked_path(key: str, value: str, what: str, example: str, url_hint: str) -> Path:
    """`value` as a path: absolute, or one file of the folder sources/.

    Args:
        key: dotted name of the param that holds `value`.
        value: the value of the param.
        what: the thing that an absolute path must name, for the message.
        example: such a path, for the message.
        url_hint: what to do with a URL.

    Raises:
        SourceError: `value` has another form.
    """
    path = Path(value.replace("\0", "?"))  # no path can hold a zero byte
    if path.is_absolute() and ".." not in path.parts and _fits(path):
        return path
    known = sorted(str(file) for file in SOURCES.glob("*.yaml"))
    if path.parent == SOURCES and path.suffix == ".yaml" and _fits(path) and path.is_file():
        return path
    reason = "which names no source" if _fits(path) else "which is too long for a path"
    if "://" in value:
        reason = url_hint
    elif value.startswith("~"):
        reason = f"whose ~ is not expanded{_expanded(path)}"
    raise SourceError(
        f"{key} is {cut(masked(repr(value), {}))}, {reason}; {key} must be the absolute path of "
        f"{what} (such as {example}) or one of {', '.join(known)}."
    )


def _expanded(path: Path) -> str:
    """The advice to write a path that begins with ~ in full; '' if no user has that name."""
    try:
        return f": write {path.expanduser()}"
    except RuntimeError:
        return ""


def _fits(path: Path) -> bool:
    """Whether the system takes so long a path."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


def read_description(path: Path, model: Any) -> Any:
    """Read a file under sources/ into `model`, a Section or a union of some by their `kind`.

    Raises:
        SourceError: names the file and every key that is wrong.
    """
    try:
        values = read_yaml(path)
        return TypeAdapter(model).validate_python(values)
    except YamlFileError as error:
        raise SourceError(str(error)) from None
    except ValidationError as error:
        raise SourceError("\n".join(_sentences(path, values, error))) from None


def _sentences(path: Path, values: Any, error: ValidationError) -> Iterator[str]:
    """One sentence a problem. (Pydantic puts a union's kind before every key; the file does not.)"""
    kind = values.get("kind") if isinstance(values, dict) else None
    for problem in error.errors():
        keys = [str(part) for part in problem["loc"]]
        place = ".".join(keys[1:] if keys and keys[0] == kind else keys) or "the file"
        yield f"{path}: {place}: {problem['msg']} (found {shown(problem['input'])})"
