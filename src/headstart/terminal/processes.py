"""A stage that runs in several processes: started here by torch's elastic agent, or by torchrun.

This process then only watches over them. When one is killed, all begin anew, and go on from the last
state that the first of them kept. When one ends with an error, all end, and its sentence is said once.
"""

import logging
import os
import sys
import threading
import time
from pathlib import Path
from signal import SIGINT, SIGTERM
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from headstart.project.errors import HeadstartError
from headstart.project.workers import n_procs

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

FOLDER = "HEADSTART_PROCS_FOLDER"  # where processes that were started here leave what is to be said
N_RESTARTS = 3
LOOK_EVERY_S = 0.5
UNWIND_S = 20.0  # that a process has to end in order when the process above it has died
LOST = 75  # exit status of a process that ends because another one has
NO_FAULT = (LOST, 128 + SIGTERM, 128 + SIGINT)


def is_first() -> bool:
    """Whether this process is the first of those that run the stage together, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def is_watched() -> bool:
    """Whether `start_processes` has started this process, and says why it ends."""
    return FOLDER in os.environ


def leave_to_starter(sentence: str) -> None:
    """Leave the sentence of an error to the process that has started this one."""
    (Path(os.environ[FOLDER]) / f"{os.environ['RANK']}.said").write_text(sentence)


def start_processes() -> None:
    """Run this script in HEADSTART_PROCS processes, and exit as they do; return where one is enough.

    In the processes themselves it returns at once.
    """
    if is_watched():
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if "RANK" in os.environ:
        return
    from headstart.terminal.system_faults import end_in_order, interrupted

    try:
        if (n := n_procs(_n_gpus)) > 1:
            end_in_order()
            with TemporaryDirectory(prefix="headstart-") as folder:
                os.environ[FOLDER] = folder
                sys.exit(_run(n))
    except HeadstartError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt as error:
        said, status = interrupted(error)
        print(said, file=sys.stderr)
        sys.exit(status)


def _n_gpus() -> int:
    import torch  # late: a stage in one process has other things to do first

    on_gpus = os.environ.get("HEADSTART_DEVICE", "auto") in ("auto", "cuda")
    return torch.cuda.device_count() if on_gpus else 1


def _run(n: int) -> int:
    """Run the script in n processes until all have ended well, or cannot; return the exit status."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    from headstart.terminal.system_faults import Terminated

    logging.disable(logging.CRITICAL)  # what torch has to tell is said here, in a sentence
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nothing leaves this machine
    for n_restarts in range(N_RESTARTS + 1):
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=n, run_id=f"{os.getpid()}-{n_restarts}",
            rdzv_backend="c10d", rdzv_endpoint="127.0.0.1:0", local_addr="127.0.0.1", max_restarts=0,
            logs_specs=DefaultLogsSpecs(
                log_dir=os.environ[FOLDER], redirects=dict.fromkeys(range(1, n), Std.ALL)
            ),
        )  # fmt: skip
        try:
            elastic_launch(config, sys.executable)(*sys.argv)
            return 0
        except SignalException as ended:
            raise (Terminated if ended.sigval == SIGTERM else KeyboardInterrupt) from None
        except ChildFailedError as failed:
            if _say_fault(failed):
                return 1
            again = (
                "All begin anew." if n_restarts < N_RESTARTS else "Run the command again to go on."
            )
            print(f"{_who(failed, n)} was killed. {again}", file=sys.stderr, flush=True)
    return 1


def _say_fault(failed: "ChildFailedError") -> bool:
    """Say the first error, from which others follow; False if there is none, only deaths."""
    if said := list(Path(os.environ[FOLDER]).glob("*.said")):
        first = min(said, key=lambda file: file.stat().st_mtime_ns)
        print(f"Error: {first.read_text()}", file=sys.stderr)
        return True
    codes = {rank: failure.exitcode for rank, failure in failed.failures.items()}
    faults = [rank for rank, code in codes.items() if code > 0 and code not in NO_FAULT]
    if faults and 0 not in faults:  # the first process has shown its traceback
        for log in Path(os.environ[FOLDER]).glob(f"*/attempt_*/{faults[0]}/stderr.log"):
            print(log.read_text(), file=sys.stderr, end="")
    return bool(faults)


def _who(failed: "ChildFailedError", n: int) -> str:
    """The process that a signal has ended; SIGTERM is what the others then get."""
    for rank, failure in failed.failures.items():
        if failure.exitcode < 0 and failure.exitcode != -SIGTERM:
            return f"Process {rank + 1} of {n}"
    return f"One of {n} processes"


def _end_with(starter: int) -> None:
    """End this process when the one that has started it has died without a word."""
    while os.getppid() == starter:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), SIGTERM)
    time.sleep(UNWIND_S)
    os._exit(128 + SIGTERM)
