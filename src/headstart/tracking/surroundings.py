"""What a run's record says about the place it ran in: changes to the code, machine, versions.

Nothing here imports torch, asks a driver, or fails: what cannot be found out is left out.
"""

import os
import platform
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from headstart.project import versions as packages

WRITTEN = ("dvc.lock", "metrics", "scores.json", "state.json")
"""Files in git that `dvc repro` itself writes, so that their changes say nothing."""

N_CHANGES = 50
"""Changed files that are named."""

_CPUINFO, _GPUS = Path("/proc/cpuinfo"), Path("/proc/driver/nvidia/gpus")


def surroundings() -> dict[str, str]:
    """Tags of a run: machine, versions, and `headstart.changes`: one path a line, or none."""
    tags = {"headstart.machine": machine(), "headstart.versions": versions()}
    if (changed := changes()) is not None:
        tags["headstart.changes"] = "\n".join(changed) or "none"
    return tags


def changes() -> list[str] | None:
    """Files in git whose content no commit holds, without WRITTEN; None outside a repository."""
    apart = [f":(exclude){name}" for name in WRITTEN]
    command = ["git", "diff", "--name-only", "--relative", "HEAD", "--", ".", *apart]
    with suppress(OSError):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found = done.stdout.splitlines()
            n_more = len(found) - N_CHANGES
            return found[:N_CHANGES] + ([f"and {n_more} others"] if n_more > 0 else [])
    return None


def versions() -> str:
    """Of Python and of the packages that shape results, as one line."""
    found = {"Python": platform.python_version(), **packages.versions()}
    return ", ".join(f"{package} {number}" for package, number in found.items())


def machine() -> str:
    """The chip, the cores that this process may use, the memory, and GPUs, as one line."""
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [_chip(), f"{cores} {'core' if cores == 1 else 'cores'}", f"{memory:.0f} GiB of memory"]
    return ", ".join([*found, *_gpus()])


def _chip() -> str:
    with suppress(OSError):
        if named := re.search(r"^model name\s*:\s*(.+)$", _CPUINFO.read_text(), re.MULTILINE):
            return named[1].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    """NVIDIA's names of the GPUs; the driver tells them in files, so nothing is initialised."""
    found = []
    with suppress(OSError):
        for about in sorted(_GPUS.glob("*/information")):
            if named := re.search(r"^Model:\s*(.+)$", about.read_text(), re.MULTILINE):
                found.append(named[1].strip())
    return found
