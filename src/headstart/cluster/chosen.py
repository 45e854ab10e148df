"""Whether pictures are worked on elsewhere: HEADSTART_RAY, HEADSTART_PROCS.

Without these variables nothing else of this room is imported.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from headstart.project.errors import HeadstartError
from headstart.project.workers import n_procs

if TYPE_CHECKING:
    from headstart.cluster.spread import Workers

N_PICTURES = 512  # of a shard: a multiple of each batch of forward passes (32 and 128)
_A_RANK = "RANK"  # torch's launchers set it: this process is one of several already


def workers_for(
    n: int, networks: bool = False, environment: Mapping[str, str] = os.environ
) -> "Workers | None":
    """The workers that the environment names; None: this process does the work alone.

    Args:
        n: pictures. Less than two shards do not pay for the start of workers.
        networks: whether the work is that of a network. Other work needs no processes, as threads do
            it, so HEADSTART_PROCS does not concern it.
        environment: environment variables.

    Raises:
        HeadstartError: a variable is malformed, or there is no such cluster.
    """
    if n < 2 * N_PICTURES:
        return None
    shared = environment.get("HEADSTART_SHARED") or "0"
    if shared not in ("0", "1"):
        raise HeadstartError(
            f"HEADSTART_SHARED is {shared!r}; it must be 1 (all machines see the project's folder "
            "under the same path) or 0."
        )
    if address := environment.get("HEADSTART_RAY"):
        return _ray(address)
    if networks and _A_RANK not in environment:
        return _processes(n_procs(lambda: len(_gpus()), environment))
    return None


@cache
def _ray(address: str) -> "Workers":
    from headstart.cluster.ray_workers import RayWorkers

    return RayWorkers(address, os.environ)


@cache
def _processes(n: int) -> "Workers | None":
    if n < 2:
        return None
    from headstart.cluster.processes import Processes

    return Processes(n, _gpus(), os.environ)


def _gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu.strip()]
    n = torch.cuda.device_count()
    return named[:n] if named else [str(gpu) for gpu in range(n)]
