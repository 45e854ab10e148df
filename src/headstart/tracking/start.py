"""What a process does before it imports anything heavy; so this imports nothing heavy."""

import atexit
import gc
import os

from headstart.tracking import teller

RUN_BY_DVC = "DVC_STAGE"  # DVC sets it for the commands of its stages


def start() -> None:
    """Set up the garbage collector of this process, and OpenMP for when torch is loaded."""
    # A stage imports a million objects that stay until it ends. Looking through them for garbage
    # again and again, and once more at exit, took half of its start-up (bench.start_up).
    gc.set_threshold(100_000, 10, 10)
    atexit.register(gc.freeze)
    # OpenMP's threads meet at the end of each operation of torch. By default those that arrive first
    # spin for milliseconds; where other processes are busy too, that keeps the threads they wait for
    # off the cores, and an epoch took three times as long. Threads that sleep cost nothing alone
    # (bench.neighbours). OpenMP reads this once, when torch is loaded. A setting of the user's stays.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def start_stage() -> None:
    """`start`, and under DVC the process that imports MLflow while the stage imports torch."""
    start()
    if RUN_BY_DVC in os.environ:
        teller.begin()
