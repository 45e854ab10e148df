"""How a process of a benchmark is started, with OpenMP's threads as torch or as headstart has them."""

import os
import sys

POLICY = "OMP_WAIT_POLICY"
# torch before anything of bench: OpenMP has then read its settings, and what bench sets (`start`)
# does not reach it any more.
TORCH_FIRST = """
import runpy, sys, torch
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def loaded(module: str, passive: bool) -> tuple[list[str], dict[str, str]]:
    """The command of a module of bench and its environment; its arguments follow.

    Args:
        module: as `bench.epoch`.
        passive: threads that wait sleep, as headstart sets it; else what OpenMP does by itself.
    """
    environment = {k: v for k, v in os.environ.items() if k not in (POLICY, "GOMP_SPINCOUNT")}
    if passive:
        environment[POLICY] = "PASSIVE"
    return [sys.executable, "-c", TORCH_FIRST, module], environment
