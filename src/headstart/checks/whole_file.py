"""params.yaml as a whole: all that is wrong in it, told before any stage has worked.

Imports are late, as most stages find the note that the file is right, and look no further.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from headstart.project.beside import written_beside
from headstart.project.params import PARAMS_FILE, ParamsError, read_params, read_section
from headstart.project.section import Section
from headstart.project.work import code_digest, note_place

S = TypeVar("S", bound=Section)


class Verdict(NamedTuple):
    """Sentences about one params file."""

    errors: list[str]
    """What cannot run, or could only be a mistake."""
    warnings: list[str]
    """What runs, and may not be what was meant; empty where there are errors."""


def load_section(name: str, model: type[S]) -> S:
    """Section `name` of params.yaml, for a stage.

    All sections are checked, not this one alone, so that no stage works for an hour before a later
    one refuses its numbers. A file that was found right is remembered. A stage that loads `dataset`
    stands at the beginning: all that is fetched must be there.

    Raises:
        ParamsError: names every problem of every section, in one sentence each.
    """
    require_right_file(PARAMS_FILE, at_sources=name == "dataset")
    return read_section(name, model)


def check_file(path: Path) -> Verdict:
    """All that is wrong in a params file, and with what it says lies on this machine.

    Raises:
        ParamsError: the file does not hold sections.
    """
    from headstart.checks.networks import wrong_tensors

    values = read_params(path)
    found = _checked(values, path, absent=True)
    return Verdict([*found.errors, *wrong_tensors(values, path)], found.warnings)


def require_right_file(path: Path, at_sources: bool) -> None:
    """Refuse a params file that is wrong in any section, or whose sections contradict each other.

    Args:
        path: the file.
        at_sources: whether the stage reads the source of the pictures, so that all sources must be
            there; stages further on run where they are not, with what was made of them.

    Raises:
        ParamsError: all problems, a line each.
    """
    values = read_params(path)
    if _note(path).exists() and not at_sources:
        return
    if errors := _checked(values, path, absent=at_sources).errors:
        raise ParamsError("\n".join(errors))


def _checked(values: Mapping[str, Any], path: Path, absent: bool) -> Verdict:
    """The file, the places it names and the name of the network.

    That params.yaml was found right is noted in the work folder, with the warnings: to import the
    models of all sections takes seconds, so every later stage only looks for the note.
    """
    from headstart.checks.on_this_machine import missing_here

    note, here = _note(path), list(missing_here(values, path, absent))
    if note.exists():
        return Verdict(here, json.loads(note.read_text(encoding="utf-8")))
    found = _of_file(values, path)
    errors = [*found.errors, *here]
    if not errors and path == PARAMS_FILE:
        with written_beside(note, shared=True) as partial:  # stages begin at the same time
            partial.write_text(json.dumps(found.warnings), encoding="utf-8")
    return Verdict(errors, found.warnings)


def _of_file(values: Mapping[str, Any], path: Path) -> Verdict:
    """Each section, all of them together, and the name of the network."""
    from headstart.checks.cautions import WARNINGS
    from headstart.checks.networks import unknown_network
    from headstart.checks.rules import ERRORS, broken
    from headstart.checks.sections import read_sections

    sections, errors = read_sections(values, path)
    errors += [f"{path}: {problem}" for problem in broken(ERRORS, sections)]
    errors += unknown_network(values, path)
    if errors:
        return Verdict(errors, [])
    warnings = [f"{path}: {problem}" for problem in broken(WARNINGS, sections)]
    return Verdict(errors, warnings)


def _note(path: Path) -> Path:
    """Where it stands that a file of this content was found right, by this code.

    By the whole package: what is right is said by the params of every step, which lie in nearly every
    room and are imported by name. A check that was not needed costs seconds, one that was left out a
    wrong run.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return note_place("checked", {"params": digest, "code": code_digest()})
