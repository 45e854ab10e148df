"""The installed versions of the packages that shape results: for keys, for manifests, and to pin.

Kept work has them in its key, so that work of other versions is never used. Manifests and checkpoints
say with which versions they were made. `runtime.pinned` lists those that stages insist on.
"""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from headstart.project.errors import HeadstartError

NETWORKS = ("torch", "torchvision", "timm", "numpy")
"""They shape what a network computes."""

PICTURES = ("pillow", "numpy", "pillow-heif", "pillow-jxl-plugin")
"""They shape pixels; the last two read forms that Pillow does not, and may be absent."""


def versions(*packages: str) -> dict[str, str]:
    """Package -> version, of those that are installed; without `packages`, of all that shape results.

    No package is imported.
    """
    wanted = packages or dict.fromkeys((*NETWORKS, *PICTURES))
    found = {package: _version(package) for package in wanted}
    return {package: number for package, number in found.items() if number is not None}


def require(driver: Mapping[str, str]) -> None:
    """Refuse, in a worker, packages whose versions are not those of the driver.

    Args:
        driver: package -> version; the packages are those of PICTURES.

    Raises:
        HeadstartError: a version differs, so bits may.
    """
    here = versions(*PICTURES)
    if here != driver:
        raise HeadstartError(
            f"A worker ({platform.node()}) has {as_pins(here)}, and this machine has "
            f"{as_pins(dict(driver))}, so bits may differ: install the same versions."
        )


def as_pins(of: dict[str, str]) -> str:
    """Versions as `runtime.pinned` and `pip install` write them: torch==2.9.1 timm==1.0.22."""
    return " ".join(f"{package}=={number}" for package, number in of.items())


def pins_in(text: str) -> dict[str, str]:
    """What `as_pins` wrote; {} for an empty text.

    Raises:
        ValueError: a word has another form, or a package is named twice.
    """
    pairs = [word.split("==") for word in text.split()]
    found = {pair[0]: pair[-1] for pair in pairs}
    if len(found) < len(pairs) or any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ValueError("it must hold package==version, with spaces between, each package once")
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
