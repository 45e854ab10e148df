"""Locates the files of an installed package, or files of the user's own."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from headstart.project.errors import HeadstartError
from headstart.project.section import Section
from headstart.project.short import cut

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="64 hex digits")]


class SourceError(HeadstartError):
    """A source has no allowed form, does not exist, or has unexpected content."""


class AbsentError(SourceError):
    """A path of the user's own does not exist on this machine."""


class Package(Section):
    """A file or folder of an installed Python package."""

    kind: Literal["package"]
    package: str = Field(description="name on PyPI")
    version: str = Field(description="exact version")
    path: str = Field(description="path below the folder of installed packages")
    sha256: Sha256


@dataclass(frozen=True)
class UserPath:
    """The user's own folder of pictures or file of weights."""

    path: Path


def locate(source: Package | UserPath) -> Path:
    """Path of the file or folder that `source` names.

    Raises:
        SourceError: the package is not installed, in another version, or without that path.
    """
    if isinstance(source, UserPath):
        return source.path
    wanted = f"pip install {cut(source.package)}=={cut(source.version)}"
    try:
        found = distribution(source.package)
    except (PackageNotFoundError, ValueError, OSError):  # no name, or none that a file can have
        raise SourceError(f"the package {cut(source.package)} is not installed: {wanted}") from None
    if found.version != source.version:
        raise SourceError(f"{source.package} is installed as {found.version}: {wanted}")
    path = Path(str(found.locate_file(source.path)))
    if not _exists(path):
        raise SourceError(
            f"{cut(str(path))} is missing: pip install --force-reinstall {wanted[12:]}"
        )
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a zero byte
        return False
