"""The sources that params.yaml names, after a check of the whole file."""

from collections.abc import Mapping
from pathlib import Path

from headstart.checks.whole_file import require_right_file
from headstart.project.params import PARAMS_FILE, read_params

SOURCES = ("dataset.source", "backbone.weights")


def checked_sources(known: Mapping[str, str]) -> dict[str, str]:
    """Dotted key -> path of a source, which may be absent on this machine if it is known.

    Args:
        known: the same of the last time; a key is missing where nothing has been made of a source.

    Raises:
        ParamsError: a section is wrong, or a source that is not known does not exist. DVC has not
            removed any out yet, so a mistake in params.yaml costs no result.
    """
    values = read_params(PARAMS_FILE)
    named = {key: _named(values, key) for key in SOURCES}
    new = any(not _may_be_absent(path, known.get(key)) for key, path in named.items())
    require_right_file(PARAMS_FILE, at_sources=new)
    return named


def _named(values: Mapping[str, object], key: str) -> str:
    section, _, name = key.partition(".")
    found = values.get(section)
    return str(found.get(name, "")) if isinstance(found, dict) else ""


def _may_be_absent(path: str, known: str | None) -> bool:
    """A file under sources/ is kept by git, so it is never absent."""
    return path == known and (Path(path).is_absolute() or Path(path).is_file())
