"""What DVC cannot read any more of its own if it is killed while it writes."""

import json
import time
from pathlib import Path
from typing import Any

from headstart.checks.run_cache import LOOKS_S, empty_folders
from headstart.commands.locked import LOCK
from headstart.project.errors import HeadstartError

LOCKS = ".dvc/tmp/rwlock"


def half_written(root: Path, looks_s: float = LOOKS_S) -> list[Path]:
    """Those of dvc.lock and the file of DVC's locks that are not whole; empty folders of its run cache.

    DVC writes the files in place, and then refuses each command without a remedy (3.67.1). Without
    dvc.lock, `dvc repro` restores all results from DVC's cache; the others it makes anew.

    Args:
        root: the folder of dvc.yaml.
        looks_s: seconds between two looks at what is not whole.
    """
    found = [path for path in (root / LOCK, root / LOCKS) if not _is_whole(path)]
    if found:
        time.sleep(looks_s)
    return [path for path in found if not _is_whole(path)] + empty_folders(root, looks_s)


def require_no_conflict(root: Path) -> None:
    """Refuse a dvc.lock with the marks of a merge, of which git has both sides.

    Args:
        root: the folder of dvc.yaml.

    Raises:
        HeadstartError: it has them.
    """
    path = root / LOCK
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    if any(line.startswith(("<<<<<<< ", ">>>>>>> ")) for line in lines):
        raise HeadstartError(
            f"{path} has the marks of a merge: take the lock of one side (`git checkout --ours "
            f"{LOCK}`, or --theirs), run `dvc repro`, which makes it right for the merged files, and "
            "commit it."
        )


def _is_whole(path: Path) -> bool:
    """Whether DVC can read a file, or there is none."""
    from dvc.rwlock import SCHEMA
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from voluptuous import Invalid

    try:
        text = path.read_text(encoding="utf-8")
        read: Any
        read, schema = (
            (json.loads(text), SCHEMA)
            if path.name == "rwlock"
            else (YAML(typ="safe").load(text), COMPILED_LOCKFILE_SCHEMA)
        )
        schema(read)
    except FileNotFoundError:
        return True
    except (ValueError, YAMLError, Invalid):
        return False
    return True
