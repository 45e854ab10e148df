"""Writes the installed versions into a params file, for `headstart check --pin`."""

from pathlib import Path

from headstart.project.errors import HeadstartError
from headstart.project.files import write_text
from headstart.project.params import read_params
from headstart.project.versions import as_pins, versions
from headstart.sweeping.patch import changed_text


def write_pins(path: Path) -> str:
    """Set `runtime.versions` and `runtime.pinned` in a params file; return a sentence on it.

    Everything else in the file keeps its bytes.

    Raises:
        ParamsError: the file is missing or no params file.
        HeadstartError: it lacks one of the two keys.
    """
    runtime = read_params(path).get("runtime")
    for key in ("versions", "pinned"):
        if not isinstance(runtime, dict) or key not in runtime:
            raise HeadstartError(f"{path}: runtime.{key} is missing; add it as recipes/ have it.")
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    pins = as_pins(versions())
    new = changed_text(text, {"runtime.versions": "pinned", "runtime.pinned": pins}, path)
    write_text(path, new)
    return f"{path}: pinned {pins}."
