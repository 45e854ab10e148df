"""Where weights come from, and what sources of all kinds share: files under sources/, and paths.

What is special to pictures is in image_sources: a stage that reads no pictures does not run again
because of a new way to get them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from headstart.core.errors import HeadstartError
from headstart.core.section import Section
from headstart.store.yaml_file import YamlFileError, read_yaml

SOURCES = Path("sources")

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="64 hex digits")]
Channels = Annotated[
    tuple[float, float, float],
    Field(strict=False, description="three channels, of values in [0, 1]"),
]


class SourceError(HeadstartError):
    """A source is not of a form that is allowed, is not there, or is not what it should be."""


class Package(Section):
    """A file or folder of an installed Python package."""

    kind: Literal["package"]
    package: str = Field(description="name on PyPI")
    version: str = Field(description="exact version")
    path: str = Field(description="below the folder of installed packages")
    sha256: Sha256


class PackageWeights(Package):
    """A weights file in an installed package."""

    architecture: str = Field(description="the timm model whose weights it holds")
    names: Literal["same", "in_order"] = Field(
        description="same: timm's names; in_order: timm's order under other names"
    )
    mean: Channels
    std: Channels


class TimmWeights(Section):
    """What timm downloads for the name of the backbone."""

    kind: Literal["timm"]


class RandomWeights(Section):
    """Untrained weights."""

    kind: Literal["random"]
    seed: int = Field(ge=0, description="of the draw")


@dataclass(frozen=True)
class UserPath:
    """A folder of pictures or a file of weights of the user's own."""

    path: Path


WeightsSource = PackageWeights | TimmWeights | RandomWeights | UserPath


def read_weights_source(value: str) -> WeightsSource:
    """What `backbone.weights` names.

    Raises:
        SourceError: it has no form that is allowed, or does not exist.
    """
    path = checked_path(
        *("backbone.weights", value, "a file of weights", "/home/me/resnet34.safetensors"),
        url_hint="a URL: download it first, then give its path,",
    )
    if path.is_absolute():
        if not path.is_file():
            raise SourceError(f"backbone.weights is {value!r}, which is not a file.")
        return UserPath(path)
    one_of = Annotated[PackageWeights | TimmWeights | RandomWeights, Field(discriminator="kind")]
    source: WeightsSource = read_description(path, one_of)
    return source


def locate(source: Package | UserPath) -> Path:
    """Where the file or folder of a package or of the user's lies.

    Raises:
        SourceError: the package is not installed, in another version, or without that path.
    """
    if isinstance(source, UserPath):
        return source.path
    wanted = f"pip install {source.package}=={source.version}"
    try:
        found = distribution(source.package)
    except PackageNotFoundError:
        raise SourceError(f"the package {source.package} is not installed: {wanted}") from None
    if found.version != source.version:
        raise SourceError(f"{source.package} is installed as {found.version}: {wanted}")
    path = Path(str(found.locate_file(source.path)))
    if not path.exists():
        raise SourceError(f"{path} is missing: pip install --force-reinstall {wanted[12:]}")
    return path


def same_architecture(one: str, other: str) -> bool:
    """Whether two of timm's names are one architecture: with and without a tag (resnet34.tv_in1k)."""
    return one.split(".")[0] == other.split(".")[0]


def checked_path(key: str, value: str, what: str, example: str, url_hint: str) -> Path:
    """`value` as a path: absolute, or one file of the folder sources/.

    Args:
        key: dotted name of the param that holds `value`.
        value: what it holds.
        what: the thing that an absolute path must name, for the message.
        example: such a path.
        url_hint: what to do with a URL.

    Raises:
        SourceError: it is of another form.
    """
    path = Path(value)
    if path.is_absolute() and ".." not in path.parts:
        return path
    known = sorted(str(file) for file in SOURCES.glob("*.yaml"))
    if path.parent == SOURCES and path.suffix == ".yaml" and path.is_file():
        return path
    reason = "which is neither"
    if "://" in value:
        reason = url_hint
    elif value.startswith("~"):
        reason = f"whose ~ is not expanded: write {Path(value).expanduser()}"
    raise SourceError(
        f"{key} is {value!r}, {reason}; it must be the absolute path of {what} (as {example}) or "
        f"one of {', '.join(known)}."
    )


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
    """One a problem. (A union puts the kind before every key; the file has no such level.)"""
    kind = values.get("kind") if isinstance(values, dict) else None
    for problem in error.errors():
        keys = [str(part) for part in problem["loc"]]
        place = ".".join(keys[1:] if keys and keys[0] == kind else keys) or "the file"
        yield f"{path}: {place}: {problem['msg']} (found {problem['input']!r})"
