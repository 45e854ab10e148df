"""Starts a process of a benchmark, with OpenMP's threads as in torch or as in headstart."""

import os
import sys

POLICY = "OMP_WAIT_POLICY"
# Imports torch before any module of bench, so that OpenMP has read its settings before bench changes
# them (`start`).
TORCH_FIRST = """
import runpy, sys, torch
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def loaded(module: str, passive: bool) -> tuple[list[str], dict[str, str]]:
    """The command that runs a module of bench, without its arguments, and the environment.

    Args:
        module: dotted name, like `bench.epoch`.
        passive: waiting threads sleep, as headstart sets it; otherwise OpenMP's default.
    """
    environment = {k: v for k, v in os.environ.items() if k not in (POLICY, "GOMP_SPINCOUNT")}
    if passive:
        environment[POLICY] = "PASSIVE"
    return [sys.executable, "-c", TORCH_FIRST, module], environment
