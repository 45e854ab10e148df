"""Work that is kept between runs outside of all outs: deleting it changes nothing but time.

It lies in `.headstart/work` of the project, also for experiments that run in a copy of it.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def work_folder(kind: str, *key: object) -> Path:
    """Where work of one kind lies; it need not exist.

    Args:
        kind: a word, the name of the folder above.
        key: everything that shapes the bits of the work.
    """
    root = Path(os.environ.get("DVC_ROOT", "."))
    digest = hashlib.sha256("|".join(map(repr, key)).encode()).hexdigest()
    return root / ".headstart" / "work" / kind / digest[:32]


def kept(kind: str, *key: object, make: Callable[[Path], object]) -> Path:
    """The folder that `make` filled for this key, now or in an earlier run.

    It gets its name only when `make` has returned; of two processes that make it at the same time
    one wins, as both make the same.
    """
    folder = work_folder(kind, *key)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        make(partial)
        if not folder.is_dir():
            partial.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
