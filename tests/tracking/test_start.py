"""What a process does first, and that importing the package does nothing of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"

IMPORTED = """
import gc, os, subprocess, sys
from importlib import import_module
from pathlib import Path

def note(event, arguments):
    if event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"):
        started.append(arguments[0])

started, settings, thresholds = [], dict(os.environ), gc.get_threshold()
sys.addaudithook(note)
for path in sorted(Path(sys.argv[1]).rglob("*.py")):
    name = ".".join(path.relative_to(sys.argv[1]).with_suffix("").parts)
    import_module(name.removesuffix(".__init__"))
print(len(sys.modules), started, gc.get_threshold() == thresholds, gc.get_freeze_count())
print({k: v for k, v in os.environ.items() if settings.pop(k, None) != v} | settings)
"""

STARTED = """
import gc, os, sys
from headstart.tracking import start, teller
heavy = sorted(sys.modules.keys() & ["torch", "numpy", "mlflow", "pydantic", "click"])
start.{function}()
print(gc.get_threshold(), os.environ["OMP_WAIT_POLICY"], len(teller._begun), heavy)
"""


def said(code: str, *arguments: str, **settings: str) -> str:
    apart = ("OMP_WAIT_POLICY", "DVC_STAGE")
    environment = {name: value for name, value in os.environ.items() if name not in apart}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment | {"PYTHONPATH": str(SRC)} | settings, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_to_import_every_module_changes_nothing_and_starts_nothing() -> None:
    first, settings = said(IMPORTED, str(SRC), DVC_STAGE="train-head").splitlines()
    n_modules, rest = first.split(maxsplit=1)
    assert int(n_modules) > 1000  # with torch
    assert (rest, settings) == ("[] True 0", "{}")


@pytest.mark.parametrize(
    ("function", "settings", "n_begun"),
    [
        ("start", {"DVC_STAGE": "train-head"}, 0),
        ("start_stage", {}, 0),
        ("start_stage", {"DVC_STAGE": "train-head"}, 1),
    ],
)
def test_a_start_is_light_and_only_a_stage_of_dvcs_begins_to_tell(
    function: str, settings: dict[str, str], n_begun: int
) -> None:
    for policy in ("PASSIVE", "ACTIVE"):  # its own, and one of the user's
        own = {"OMP_WAIT_POLICY": policy} if policy == "ACTIVE" else {}
        told = said(STARTED.format(function=function), **settings, **own)
        assert told == f"(100000, 10, 10) {policy} {n_begun} []\n"
