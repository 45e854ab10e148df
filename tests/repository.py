"""Commands in a small repository of a test: git and dvc, apart from the user's settings."""

import os
import subprocess
import sys
from pathlib import Path


def run(root: Path, *command: str) -> str:
    """What a command prints on stdout; `dvc` is the one of this Python. It must not fail."""
    if command[0] == "dvc":
        command = (sys.executable, "-m", *command)
    environment = os.environ | {
        "DVC_SITE_CACHE_DIR": str(root / "site"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": "someone" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "someone@example.org" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
