"""Checks params.yaml as a whole, so that all problems are reported before any stage works.

Imports are late: most stages find a note that the file is right, and need no more.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from headstart.checks.pinned_versions import other_versions
from headstart.project.beside import written_beside
from headstart.project.params import PARAMS_FILE, ParamsError, read_params, read_section
from headstart.project.section import Section
from headstart.project.versions import versions
from headstart.project.work import code_digest, make_work_place, note_place

S = TypeVar("S", bound=Section)


class Verdict(NamedTuple):
    """Sentences about one params file."""

    errors: list[str]
    """About what cannot run, or could only be a mistake."""
    warnings: list[str]
    """About what can run, but may not be what was meant; empty if there are errors."""


def load_section(name: str, model: type[S]) -> S:
    """Section `name` of params.yaml, for a stage.

    All sections are checked, not only this one, so that no stage works for an hour before a later
    stage refuses its numbers. A file that was found right is remembered. Each stage refuses other
    versions than pinned ones.

    Raises:
        ParamsError: names every problem of every section, one sentence each.
    """
    require_right_file(PARAMS_FILE, at_sources=False)
    return read_section(name, model)


def check_file(path: Path) -> Verdict:
    """All problems of a params file, and of the files on this machine that it names.

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
        at_sources: whether all sources must exist. Most stages run without them, on the outputs of
            earlier stages.

    Raises:
        ParamsError: all problems, one line each.
    """
    values = read_params(path)
    if _noted(_note(path)) is not None and not at_sources:
        errors = list(other_versions(values, path))
    else:
        errors = _checked(values, path, absent=at_sources).errors
    if errors:
        raise ParamsError("\n".join(errors))


def _checked(values: Mapping[str, Any], path: Path, absent: bool) -> Verdict:
    """Check the file, the files that it names, pinned versions and the name of the network.

    If params.yaml is right, a note in the work folder says so, with the warnings. Importing the models
    of all sections takes seconds, so every later stage only looks for the note.
    """
    from headstart.checks.on_this_machine import missing_here

    note = _note(path)
    here = [*missing_here(values, path, absent), *other_versions(values, path)]
    if (warnings := _noted(note)) is not None:
        return Verdict(here, warnings)
    found = _of_file(values, path)
    errors = [*found.errors, *here]
    if not errors and path == PARAMS_FILE:
        make_work_place(note.parent)
        with written_beside(note, shared=True) as partial:  # stages may start at the same time
            partial.write_text(json.dumps(found.warnings), encoding="utf-8")
    return Verdict(errors, found.warnings)


def _of_file(values: Mapping[str, Any], path: Path) -> Verdict:
    """Check each section, all sections together, and the network's name, sizes and blocks."""
    from headstart.checks.cautions import WARNINGS
    from headstart.checks.network_blocks import without_blocks
    from headstart.checks.network_sizes import unfit_sizes
    from headstart.checks.networks import unknown_network
    from headstart.checks.rules import ERRORS, broken
    from headstart.checks.sections import read_sections

    sections, errors = read_sections(values, path)
    errors += [f"{path}: {problem}" for problem in broken(ERRORS, sections)]
    errors += unknown_network(values, path)
    if not errors:
        of_network = broken((unfit_sizes, without_blocks), sections)
        errors += [f"{path}: {problem}" for problem in of_network]
    if errors:
        return Verdict(errors, [])
    warnings = [f"{path}: {problem}" for problem in broken(WARNINGS, sections)]
    return Verdict(errors, warnings)


def _noted(note: Path) -> list[str] | None:
    """The warnings in a note; None if there is none, or it is damaged."""
    try:
        warnings = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return warnings if isinstance(warnings, list) else None


def _note(path: Path) -> Path:
    """The path of the note that a file of this content was found right by this code and this timm.

    The digest of the code covers the whole package, because the models of the sections are in nearly
    every room and are imported by name. A needless check costs seconds, a missing one a wrong run.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    key = {"params": digest, "code": code_digest(), "versions": versions()}
    return note_place("checked", key)
