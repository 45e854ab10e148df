"""Pipes, sockets and devices, which people never mean where they name a file."""

import errno
from pathlib import Path


def refuse_special(path: Path) -> None:
    """Refuse them before they are opened: to open or to read one may never end.

    A folder passes, as opening it says best what it is; so does what does not exist.

    Raises:
        OSError: the path is one of them.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device", str(path))
