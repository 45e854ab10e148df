"""Where a run comes from: its code, its experiment, its user, its process."""

import getpass
import os
import subprocess
from contextlib import suppress

from headstart.tracking.process import process_tag


def origin(source: str, revision: str = "HEAD") -> dict[str, str]:
    """Return the tags of a run that name its code, user, commit, experiment and process, if they exist.

    Args:
        source: path of the file that was run, relative to the project.
        revision: what git calls the code.
    """
    tags = {
        "mlflow.source.name": source,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": _git("rev-parse", f"{revision}^{{commit}}"),
        "headstart.experiment": experiment(),
    }
    with suppress(OSError, KeyError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return {name: value for name, value in tags.items() if value} | process_tag()


def experiment() -> str:
    """Return the name of the DVC experiment that runs, or ""."""
    return os.environ.get("DVC_EXP_NAME", "")


def subject(revision: str = "HEAD") -> str:
    """Return the first line of the commit's message, or "" without a commit."""
    return _git("log", "-1", "--format=%s", revision)


def _git(*arguments: str) -> str:
    """Return the output of git; "" if git fails."""
    with suppress(OSError):
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""
