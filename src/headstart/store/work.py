"""The one folder that no stage declares: work that a broken-off run goes on with.

DVC removes a stage's outs before it runs, so what is to survive lies here. A folder's key holds all
that shapes the bits in it: other inputs find another folder. Deleting all of it costs only time.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

_FOLDER = ".headstart/work"


@contextmanager
def work_folder(kind: str, key: Mapping[str, Any]) -> Iterator[Path]:
    """The folder of `key` (JSON values) among those of `kind`, held by one process at a time.

    It lies in the project's own folder, so a queued experiment, whose copy is temporary, finds it
    too. It keeps what is written in it, unless the caller removes it.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("DVC_ROOT", "."), _FOLDER, kind, digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{digest}.lock")):
        folder.mkdir(exist_ok=True)
        yield folder
