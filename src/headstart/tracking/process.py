"""Which process logs a run, so that a later one can tell that it is gone."""

import hashlib
import json
import os
import platform
from contextlib import suppress
from pathlib import Path

import psutil

from headstart.tracking.store import project_root

TAG = "headstart.process"
"""JSON: project, host, machine, boot, space, pid, started; see `about`."""
_BOOT, _SPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
_MACHINE = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def process_tag() -> dict[str, str]:
    """Return the tag of the runs that this process logs."""
    return {TAG: json.dumps(about(os.getpid()))}


def about(pid: int) -> dict[str, str]:
    """Return what tells a process apart from every other one; "" for what the system does not say.

    Returns:
        project: path of the project's folder; host: the machine's name; machine: a digest of its id;
        boot: id of its start; space: what its process numbers count in (a container has its own);
        pid; started: when the process started.
    """
    return {
        "project": str(project_root().resolve()),
        "host": platform.node(),
        "machine": _machine(),
        "boot": _text(_BOOT),
        "space": str(_SPACE.readlink()) if _SPACE.is_symlink() else "",
        "pid": str(pid),
        "started": started_at(pid),
    }


def is_gone(tag: str) -> bool:
    """Whether the process of a run is one of this project and machine, and surely gone.

    False for whatever cannot be told from here: another project, machine or container.
    """
    try:
        then = dict(json.loads(tag))
        now = about(int(then["pid"]))
    except (KeyError, TypeError, ValueError):
        return False
    if any(then.get(name) != now[name] for name in ("project", "host", "machine")):
        return False
    if then.get("boot") != now["boot"]:
        # Machines of one name are told apart by their id alone.
        return bool(now["machine"] and then.get("boot") and now["boot"])
    return then.get("space") == now["space"] and then.get("started") != now["started"]


def started_at(pid: int) -> str:
    """Return when a process started, in ticks after boot or else seconds since 1970; "" without one."""
    if stat := _text(Path(f"/proc/{pid}/stat")):
        fields = stat.rpartition(")")[2].split()  # a name may hold spaces and brackets
        return "" if fields[0] in "ZX" else fields[19]
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return str(process.create_time())
    return ""


def _machine() -> str:
    """16 digits of a digest, as the id itself is confidential (man machine-id)."""
    found = next(filter(None, map(_text, _MACHINE)), "")
    return hashlib.sha256(f"headstart {found}".encode()).hexdigest()[:16] if found else ""


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""
