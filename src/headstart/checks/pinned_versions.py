"""Checks that the installed versions are those that `runtime.pinned` names."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headstart.project.versions import as_pins, pins_in, versions

PIN = "`headstart check --pin`"


def other_versions(values: Mapping[str, Any], path: Path) -> Iterator[str]:
    """A sentence if `runtime.versions` is pinned and other versions are installed, or none is pinned.

    Args:
        values: the content of the params file; what is wrong otherwise is skipped.
        path: of that file, for the sentence.
    """
    runtime = values.get("runtime")
    if not isinstance(runtime, Mapping) or runtime.get("versions") != "pinned":
        return
    try:
        pinned = pins_in(str(runtime.get("pinned") or ""))
    except ValueError:
        return  # the model of the section tells it
    if not pinned:
        yield (
            f"{path}: runtime.versions is pinned, but runtime.pinned names no version: run {PIN}, "
            "which writes those that are installed."
        )
        return
    here = versions()
    differ = [
        f"{name} {here.get(name, 'is absent')} ({pinned.get(name, 'none')} is pinned)"
        for name in dict.fromkeys((*pinned, *here))
        if here.get(name) != pinned.get(name)
    ]
    if differ:
        yield (
            f"{path}: runtime.versions is pinned, but other versions are installed: "
            f"{', '.join(differ)}. Run `pip install {as_pins(pinned)}`, or {PIN}, after which "
            "`dvc repro` computes anew what they shape."
        )
