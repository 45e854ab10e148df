"""Brings back the outs that DVC removed before a stage that then fails.

DVC removes the outs of a stage before it runs the command. If the command fails, they are gone from
the workspace, although dvc.lock still speaks of them. With the outs back, `dvc repro` runs nothing once
the cause (a wrong number in params.yaml, say) is undone.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from headstart.kept.outs import dvc_cache, file_md5
from headstart.project.beside import written_beside
from headstart.project.located import AbsentError
from headstart.project.params import PARAMS_FILE, read_params
from headstart.project.yaml_file import YamlFileError, read_yaml

LOCK = Path("dvc.lock")
STAGE = "DVC_STAGE"  # DVC sets it for the commands of its stages
_LINKED_BYTES = 2**20  # smaller files are copied, so that git's own (metrics) stay writable


def after_failure(error: BaseException) -> str:
    """Bring back what the stage that DVC runs now lacks of its outs in dvc.lock.

    Args:
        error: what ended the stage.

    Returns:
        a sentence, if the stage may count as done: its source is absent on this machine, and all that
        it made of the source with the same params is here. Otherwise "".
    """
    stage = os.environ.get(STAGE, "")
    entry = _entry(stage)
    outs = [(Path(out["path"]), out["md5"]) for out in entry.get("outs", []) if "md5" in out]
    for path, md5 in outs:
        if not os.path.lexists(path):
            _put_back(path, md5)
    if not isinstance(error, AbsentError) or not outs or not _same_params(entry):
        return ""
    whole = all(_md5(path) == md5 for path, md5 in outs)
    return f"{stage} has nothing to read here, and keeps what it made before." if whole else ""


def _entry(stage: str) -> Mapping[str, Any]:
    """What dvc.lock has of the stage; nothing outside DVC, and before its first run."""
    try:
        entry = read_yaml(LOCK)["stages"][stage]
    except (OSError, YamlFileError, LookupError, TypeError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _same_params(entry: Mapping[str, Any]) -> bool:
    now, before = read_params(PARAMS_FILE), entry.get("params", {}).get(str(PARAMS_FILE), {})
    return all(now.get(section) == values for section, values in before.items())


def _put_back(path: Path, md5: str) -> None:
    """Bring an out back, if DVC's cache or git's last commit has all of it."""
    cached = _object(md5)
    if cached and md5.endswith(".dir"):
        listed = json.loads(cached.read_bytes())
        objects = [(entry["relpath"], _object(entry["md5"])) for entry in listed]
        there = [(name, file) for name, file in objects if file]
        if len(there) == len(objects):
            with written_beside(path) as partial:
                partial.mkdir()
                for name, file in there:
                    (partial / name).parent.mkdir(parents=True, exist_ok=True)
                    _link(file, partial / name)
    elif cached:
        with written_beside(path) as partial:
            _link(cached, partial)
    elif _digest(content := _in_git(path)) == md5:
        with written_beside(path) as partial:
            partial.write_bytes(content)


def _object(md5: str) -> Path | None:
    """The file of DVC's cache; None if it has none."""
    cache = dvc_cache()
    file = cache / md5[:2] / md5[2:] if cache else None
    return file if file and file.is_file() else None


def _link(cached: Path, path: Path) -> None:
    """As DVC does: a link, and a copy where the file system has none."""
    if cached.stat().st_size > _LINKED_BYTES:
        with suppress(OSError):
            os.link(cached, path)
            return
    shutil.copyfile(cached, path)


def _digest(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _in_git(path: Path) -> bytes:
    """The file in the last commit, where metrics are; empty if it is not there."""
    command = ["git", "show", f"HEAD:./{path.as_posix()}"]
    try:
        return subprocess.run(command, capture_output=True, check=False).stdout
    except OSError:  # no git here
        return b""


def _md5(path: Path) -> str:
    """DVC's digest of a file, or of a folder: the MD5 of the JSON list of its files."""
    if not path.is_dir():
        return file_md5(path) if path.is_file() else ""
    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    entries = [{"md5": file_md5(files[name]), "relpath": name} for name in sorted(files)]
    return _digest(json.dumps(entries).encode()) + ".dir"
