"""Compares files with what dvc.lock says of them."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from headstart.commands.locked import (
    CACHED,
    MISSING,
    OUT,
    READ,
    UNREADABLE,
    Claim,
    Problem,
    Project,
)
from headstart.fetching.seen import seen
from headstart.kept.outs import file_md5
from headstart.project.errors import HeadstartError
from headstart.project.files import read_json
from headstart.project.workers import in_order
from headstart.terminal.bars import Bars

LOOKS = "check-inputs"  # the stage whose outs say what the sources hold


@dataclass(frozen=True)
class Found:
    """What `verify` found.

    Attributes:
        n_files: how many files were compared, in the workspace.
        n_objects: how many objects of DVC's cache were.
        problems: in the order of the stages.
        absent: sources that are not on this machine, so they were not compared.
    """

    n_files: int
    n_objects: int
    problems: list[Problem]
    absent: list[str]


def verify(project: Project, deep: bool) -> Found:
    """Compare a project's files and DVC's cache with dvc.lock.

    Args:
        project: the project.
        deep: whether every byte is read: of outs, of the whole cache, of what stages read. Otherwise
            files are read only if DVC does not know them with their present inode, size and time.
    """
    told, absent = list(project.outs()), list[str]()
    problems = [one for one in told if isinstance(one, Problem)]
    claims = [one for one in told if isinstance(one, Claim)]
    if deep:
        named = {one.file for one in told if one.kind == CACHED}
        claims += project.inputs()
        claims += (claim for claim in project.cached() if claim.file not in named)
        problems += project.params()
        changed, absent = changed_sources(project)
        problems += changed
    files = {claim.file: _files(project, claim) for claim in claims}
    digests = _digests(project, [file for some in files.values() for file in some], deep)
    compared = set()
    for claim in claims:
        if what := _differs(claim, files[claim.file], digests):
            problems.append(Problem(claim.path, what, claim.stage, claim.kind, claim.file))
        if claim.kind != CACHED:
            compared.update(files[claim.file])
    objects = {claim.file for claim in claims if claim.kind == CACHED}
    order = {stage: number for number, stage in enumerate(project.stages)}
    by_stage = sorted(
        dict.fromkeys(problems), key=lambda one: (order.get(one.stage, len(order)), one.path)
    )
    return Found(len(compared), len(objects), by_stage, absent)


def changed_sources(project: Project) -> tuple[list[Problem], list[str]]:
    """Sources (pictures, weights) that do not hold what stages were told, and those that are absent."""
    changed, absent = [], []
    for out in project.stages.get(LOOKS, {}).get("outs", []):
        about = _told(project.root / out["path"])
        if about is None:
            continue
        source = str(about["source"])
        try:
            now = seen(project.root / source, deep=True)
        except HeadstartError as error:
            changed.append(Problem(source, str(error), LOOKS, UNREADABLE, Path(source)))
            continue
        if now is None:
            absent.append(source)
        elif now.sha256 != about["sha256"]:
            changed.append(Problem(source, "other files or bytes", LOOKS, READ, Path(source)))
    return changed, absent


def _told(out: Path) -> Mapping[str, object] | None:
    """What stages were told of a source; None if the out is missing or damaged, its own problem."""
    try:
        return read_json(out)
    except (OSError, HeadstartError):
        return None


def repair(project: Project, problems: Iterable[Problem]) -> list[Path]:
    """Mend damaged outs and damaged objects of DVC's cache, and return those that were mended.

    A file is removed: `dvc repro` then restores an out from a whole object, or runs its stage again. A
    folder whose list the cache lacks stays, as nobody knows which of its files is damaged. All of them
    get a new time, so that DVC reads them again and finds that the folder is not as it was. What stages
    read and did not write stays.
    """
    mended = []
    for problem in problems:
        if problem.kind not in (OUT, CACHED):
            continue
        if problem.file.is_file() or problem.file.is_symlink():
            problem.file.unlink()
            mended.append(problem.file)
        elif problem.file.is_dir():
            for file in project.files(problem.file):
                os.utime(file)
            mended.append(problem.file)
    return mended


def _files(project: Project, claim: Claim) -> list[Path]:
    """The file of a claim, or all files of its folder; none if it does not exist."""
    if claim.file.is_dir():
        return project.files(claim.file)
    return [claim.file] if claim.file.is_file() else []


def _digests(project: Project, files: Iterable[Path], deep: bool) -> Mapping[Path, str]:
    """MD5 (hex) of each file; "" if it cannot be read. Several names of one file are read only once.

    Args:
        project: knows files that DVC has seen.
        files: to read.
        deep: whether files that DVC knows are read too.
    """
    by_inode: dict[tuple[int, int], list[Path]] = {}
    for file in dict.fromkeys(files):
        stat = file.stat()
        by_inode.setdefault((stat.st_dev, stat.st_ino), []).append(file)

    def digest(same: list[Path]) -> str:
        known = filter(None, () if deep else map(project.known, same))
        try:
            return next(known, "") or file_md5(same[0])
        except OSError:
            return ""

    groups = list(by_inode.values())
    found = Bars().over(in_order(digest, groups), len(groups), "verify")
    return {file: md5 for same, md5 in zip(groups, found, strict=True) for file in same}


def _differs(claim: Claim, files: list[Path], digests: Mapping[Path, str]) -> str:
    """What differs from the claim, as a phrase; "" if nothing does."""
    if not claim.file.exists():
        return MISSING
    if claim.file.is_dir():
        return "" if _of_folder(claim.file, files, digests) == claim.md5 else "other files or bytes"
    n_bytes = claim.file.stat().st_size
    if claim.n_bytes not in (None, n_bytes):
        return f"{n_bytes:,} of {claim.n_bytes:,} bytes"
    if not digests[claim.file]:
        return "cannot be read"
    return "" if digests[claim.file] == claim.md5.removesuffix(".dir") else "other bytes"


def _of_folder(folder: Path, files: list[Path], digests: Mapping[Path, str]) -> str:
    """DVC's digest of a folder: the MD5 of the JSON list of its files, with `.dir` behind it."""
    entries = [
        {"md5": digests[file], "relpath": file.relative_to(folder).as_posix()} for file in files
    ]
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def as_json(project: Project, found: Found) -> str:
    """What was found, for a program."""
    problems = [
        {"path": one.path, "what": one.what, "stage": one.stage, "kind": one.kind}
        for one in found.problems
    ]
    about = {
        "n_files": found.n_files,
        "n_objects": found.n_objects,
        "n_stages": len(project.stages),
        "absent": found.absent,
    }
    return json.dumps(about | {"problems": problems}, indent=2, ensure_ascii=False)
