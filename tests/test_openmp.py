"""In each of our processes that load torch, waiting OpenMP threads sleep."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bench.peers import loaded

POLICY = "OMP_WAIT_POLICY"
# Runs each script, module or command line with --help, in a child that has what takes long to import.
# It prints the wait policy at the child's first import of torch, or at its end if nothing imports it.
TOLD = """
import contextlib, io, os, runpy, sys
import click, pandas, pyarrow.parquet, pydantic
assert "torch" not in sys.modules

def tell():
    sys.__stdout__.write(os.environ.get("OMP_WAIT_POLICY", "nothing") + chr(10))
    sys.__stdout__.flush()
    os._exit(0)

class Looked:
    def find_spec(name, path=None, target=None):
        if name == "torch":
            tell()

names, sys.argv[1:] = sys.argv[1:], ["--help"]
for name in names:
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0, name
        continue
    sys.meta_path.insert(0, Looked)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        if name.endswith(".py"):
            runpy.run_path(name, run_name="__main__")
        elif name == "headstart":
            from headstart.commands.cli import main
            main(["predict", "--help"])
        else:
            runpy.run_module(name, run_name="__main__")
    tell()
"""
ROOT = Path(__file__).parents[1]
STAGES = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("stages/*.py"))]
BENCHES = [f"bench.{path.stem}" for path in sorted(ROOT.glob("bench/[a-z]*.py"))]
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="torch brings GNU's OpenMP on Linux")


def environment(**settings: str) -> dict[str, str]:
    """The environment with these settings, and without the user's own."""
    kept = {k: v for k, v in os.environ.items() if k not in (POLICY, "GOMP_SPINCOUNT")}
    return kept | {"PYTHONPATH": "src"} | settings


def said(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_is_set_before_torch_is_loaded_everywhere() -> None:
    commands = [*STAGES, *BENCHES, "headstart"]
    assert len(commands) > 25
    told = said([sys.executable, "-c", TOLD, *commands], environment()).splitlines()
    assert dict(zip(commands, told, strict=True)) == dict.fromkeys(commands, "PASSIVE")


def spins(command: list[str], env: dict[str, str]) -> int:
    """How often a waiting thread looks again before it sleeps, as GNU's OpenMP reports it."""
    shown = said(command, env | {"OMP_DISPLAY_ENV": "verbose"})
    found = {int(number) for number in re.findall(r"GOMP_SPINCOUNT = '(\d+)'", shown)}
    assert len(found) == 1, shown
    return found.pop()


@ON_LINUX
def test_it_reaches_the_openmp_that_torch_loads() -> None:
    command = [sys.executable, "stages/train_head.py", "--help"]
    assert spins(command, environment()) == 0


@ON_LINUX
def test_a_setting_of_the_user_stays() -> None:
    command = [sys.executable, "stages/train_head.py", "--help"]
    assert spins(command, environment(OMP_WAIT_POLICY="ACTIVE")) > 1e9
    assert spins(command, environment(GOMP_SPINCOUNT="1234")) == 1234


@ON_LINUX
def test_a_peer_may_have_what_openmp_does_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POLICY, "PASSIVE")  # as bench.compare, which imports headstart, has it
    monkeypatch.setenv("PYTHONPATH", "src")
    for passive in (True, False):
        command, env = loaded("bench.epoch", passive)
        assert (spins([*command, "--help"], env) == 0) == passive
