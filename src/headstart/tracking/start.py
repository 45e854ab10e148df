"""The first steps of a process; this module imports nothing heavy, as they must come first."""

import atexit
import gc
import os

from headstart.terminal.processes import is_first, start_processes
from headstart.tracking import teller

INHERITED = dict(os.environ)  # the variables of the process that called this one
RUN_BY_DVC = "DVC_STAGE"  # DVC sets it for the commands of its stages


def start() -> None:
    """Set up the garbage collector of this process, and OpenMP for when torch is loaded."""
    # The imports of a stage make a million objects that stay until it ends. Searching them for
    # garbage repeatedly, and once more at exit, took half of its start-up (bench.start_up).
    gc.set_threshold(100_000, 10, 10)
    atexit.register(gc.freeze)
    # OpenMP's threads wait for each other at the end of each torch operation. By default the threads
    # that arrive first spin for milliseconds. If other processes are busy too, the spinning threads
    # keep the late ones off the cores, and an epoch took three times as long. Alone, sleeping threads
    # cost up to a fifth in a virtual machine (bench.neighbours). OpenMP reads this setting once, when
    # torch is loaded. A value that the user has set stays.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def start_stage(together: bool = False) -> None:
    """Call `start`; under DVC also begin the process that imports MLflow beside the stage's imports.

    `together`: the stage runs in as many processes as HEADSTART_PROCS says.
    """
    if together:
        start_processes()
    start()
    if RUN_BY_DVC in os.environ and is_first():
        teller.begin()
