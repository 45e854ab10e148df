"""Run scripts one after another, each in a fork of this process: python forks.py JSON

JSON is a list of a stage's name and the words of its command in dvc.yaml.
"""

import json
import os
import runpy
import sys
from pathlib import Path

RUNNER = "src/headstart/warm/run.py"


def import_libraries() -> None:
    """Import what takes longest, unless this is a fork of the warm process."""
    if "timm" not in sys.modules:
        from headstart.tracking.start import start

        start()  # before torch is loaded
        from headstart.backbone import torchvision_ops

        torchvision_ops.declare_missing()
        import pandas  # noqa: F401
        import timm  # noqa: F401


def run(words: list[str]) -> None:
    """Run the script that a command names, as if this process had been started for it."""
    script = next(i for i, word in enumerate(words) if word.endswith(".py") and word != RUNNER)
    sys.argv = words[script:]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    import_libraries()
    for name, words in json.loads(sys.argv[1]):
        if (fork := os.fork()) == 0:
            os.environ["DVC_STAGE"] = name
            run(words)
            sys.exit()
        if status := os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]):
            sys.exit(f"{name} ended with {status}")
