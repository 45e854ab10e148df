"""params.yaml as a whole: all that is wrong in it, told before any stage has worked.

Imports are late, as most stages find the note that the file is right, and look no further.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from headstart.params import PARAMS_FILE, ParamsError, read_params
from headstart.store.work import code_digest, note_place


class Verdict(NamedTuple):
    """Sentences about one params file."""

    errors: list[str]
    """What cannot run, or could only be a mistake."""
    warnings: list[str]
    """What runs, and may not be what was meant; empty where there are errors."""


def check_file(path: Path) -> Verdict:
    """All that is wrong in a params file, and with what it says lies on this machine.

    Raises:
        ParamsError: the file does not hold sections.
    """
    from headstart.checks.networks import wrong_network
    from headstart.checks.on_this_machine import missing_here

    values = read_params(path)
    found = _verdict(values, path)
    more = [*missing_here(values, path, absent=True), *wrong_network(values, path)]
    return Verdict([*found.errors, *more], found.warnings)


def require_right_file(path: Path, at_sources: bool) -> None:
    """Refuse a params file that is wrong in any section, or whose sections contradict each other.

    Args:
        path: the file.
        at_sources: whether the stage reads the source of the pictures, so that all sources must be
            there; stages further on run where they are not, with what was made of them.

    Raises:
        ParamsError: all problems, a line each.
    """
    note = _note(path)
    if note.exists() and not at_sources:
        return
    from headstart.checks.on_this_machine import missing_here

    values = read_params(path)
    errors = [*_verdict(values, path).errors, *missing_here(values, path, absent=at_sources)]
    if errors:
        raise ParamsError("\n".join(errors))


def _verdict(values: Mapping[str, Any], path: Path) -> Verdict:
    """On the content of the file alone.

    That params.yaml was found right is noted in the work folder, with the warnings: to import the
    models of all sections takes seconds, so every later stage only reads the note.
    """
    note = _note(path)
    if note.exists():
        return Verdict([], json.loads(note.read_text(encoding="utf-8")))
    from headstart.checks.cautions import WARNINGS
    from headstart.checks.rules import ERRORS, broken
    from headstart.checks.sections import read_sections

    sections, errors = read_sections(values, path)
    errors += (f"{path}: {problem}" for problem in broken(ERRORS, sections))
    if errors:
        return Verdict(errors, [])
    warnings = [f"{path}: {problem}" for problem in broken(WARNINGS, sections)]
    if path == PARAMS_FILE:
        note.parent.mkdir(parents=True, exist_ok=True)
        beside = note.with_name(f"{note.name}.partial")
        beside.write_text(json.dumps(warnings), encoding="utf-8")
        beside.replace(note)
    return Verdict(errors, warnings)


def _note(path: Path) -> Path:
    """Where it stands that a file of this content was found right, by this code."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return note_place("checked", {"params": digest, "code": code_digest()})
