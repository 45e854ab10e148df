"""Runs git and dvc in the small repository of a test, without the user's settings."""

import os
import subprocess
import sys
from pathlib import Path


def environment(root: Path) -> dict[str, str]:
    """That of git and dvc, without the user's settings, with a cache of indexes below `root`."""
    return os.environ | {
        "DVC_SITE_CACHE_DIR": str(root / "site"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": "someone" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "someone@example.org" for who in ("AUTHOR", "COMMITTER")},
    }


def run(root: Path, *command: str) -> str:
    """Run a command that must not fail, and return its stdout; `dvc` is that of this Python."""
    if command[0] == "dvc":
        command = (sys.executable, "-m", *command)
    done = subprocess.run(
        command, cwd=root, env=environment(root), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
