"""Where pictures and weights come from: files under sources/, or absolute paths of the user's."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from headstart.core.section import Section

SOURCES = Path("sources")

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="64 hex digits")]
Channels = Annotated[
    tuple[float, float, float],
    Field(strict=False, description="three channels, of values in [0, 1]"),
]


class SourceError(ValueError):
    """A source is not of a form that is allowed, is not there, or is not what it should be."""


class _Package(Section):
    """A file or folder of an installed Python package."""

    kind: Literal["package"]
    package: str = Field(description="name on PyPI")
    version: str = Field(description="exact version")
    path: str = Field(description="below the folder of installed packages")
    sha256: Sha256


class PackageImages(_Package):
    """Pictures in an installed package; sha256 is tree_digest."""

    n_files: int = Field(ge=1, description="files in all")
    n_bytes: int = Field(ge=1, description="bytes in all")


class PackageWeights(_Package):
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


ImagesSource = PackageImages | UserPath
WeightsSource = PackageWeights | TimmWeights | RandomWeights | UserPath


def read_images_source(value: str) -> ImagesSource:
    """What `dataset.source` names.

    Raises:
        SourceError: it has no form that is allowed, or does not exist.
    """
    path = _checked("dataset.source", value, "a folder of pictures", "/home/me/pictures")
    if path.is_absolute():
        if not path.is_dir():
            raise SourceError(f"dataset.source is {value!r}, which is not a folder.")
        return UserPath(path)
    source: PackageImages = _read(path, PackageImages)
    return source


def read_weights_source(value: str) -> WeightsSource:
    """What `backbone.weights` names.

    Raises:
        SourceError: it has no form that is allowed, or does not exist.
    """
    path = _checked("backbone.weights", value, "a file of weights", "/home/me/resnet34.safetensors")
    if path.is_absolute():
        if not path.is_file():
            raise SourceError(f"backbone.weights is {value!r}, which is not a file.")
        return UserPath(path)
    one_of = Annotated[PackageWeights | TimmWeights | RandomWeights, Field(discriminator="kind")]
    source: WeightsSource = _read(path, one_of)
    return source


def locate(source: ImagesSource | PackageWeights) -> Path:
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


def tree_digest(digests: dict[str, str]) -> str:
    """sha256 (hex) of the lines "<sha256 of a file>  <its relative path>", sorted by path."""
    lines = "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def _checked(key: str, value: str, what: str, example: str) -> Path:
    """`value` as a path: absolute, or one file of the folder sources/."""
    path = Path(value)
    if path.is_absolute() and ".." not in path.parts:
        return path
    known = sorted(str(file) for file in SOURCES.glob("*.yaml"))
    if path.parent == SOURCES and path.suffix == ".yaml" and path.is_file():
        return path
    reason = "which is neither"
    if "://" in value:
        reason = "a URL: download it first, then give its path,"
    elif value.startswith("~"):
        reason = f"whose ~ is not expanded: write {Path(value).expanduser()}"
    raise SourceError(
        f"{key} is {value!r}, {reason}; it must be the absolute path of {what} (as {example}) or "
        f"one of {', '.join(known)}."
    )


def _read(path: Path, model: Any) -> Any:
    """Read a file under sources/ into `model`."""
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return TypeAdapter(model).validate_python(values)
    except YAMLError as error:
        raise SourceError(f"{path} is not valid YAML: {error}") from None
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']} "
            f"(found {problem['input']!r})"
            for problem in error.errors()
        ]
        raise SourceError("\n".join(lines)) from None
