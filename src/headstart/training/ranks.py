"""The processes that train one network together, each on its part of every batch.

Each has a copy of the network. The gradients are added up over all of them before each step, so that
all copies stay the same. Gradients on a CPU travel by gloo, those on a GPU by NCCL.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from headstart.project.errors import HeadstartError
from headstart.project.workers import n_workers

T = TypeVar("T")

GIVEN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # by torch's agent to its processes
# A process that has died is noticed at once. A longer wait is work, such as smaller copies of pictures.
PATIENCE = timedelta(days=1)


class LostProcessError(HeadstartError):
    """Another process of the training has ended."""

    follows_another = True  # so it is no news where the error of the other is told


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is.

    Every method that exchanges something must be called by all of them, in the same order.

    Attributes:
        number: of this process, from 0 to n - 1; the first alone writes.
        n: how many there are.
        joined: whether there is a process group; without one, n is 1.

    Raises:
        LostProcessError: (all methods) another process has ended.
    """

    number: int = 0
    n: int = 1
    joined: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process writes."""
        return self.number == 0

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype and device by their sums over all processes.

        All processes get the same bits. The same processes get them again in another run.
        """
        if self.joined:
            import torch.distributed as dist

            flat = torch.cat([tensor.flatten() for tensor in tensors])
            with _lost():
                dist.all_reduce(flat)
            for tensor, total in zip(
                tensors, torch.split(flat, [*map(Tensor.numel, tensors)]), strict=True
            ):
                tensor.copy_(total.view(tensor.shape))

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make` gives in the first process; the others do not call it."""
        if not self.joined:
            return make()
        import torch.distributed as dist

        made = [make() if self.is_first else None]
        with _lost():
            dist.broadcast_object_list(made, src=0, device=torch.device("cpu"))
        [found] = made
        return found  # type: ignore[return-value]

    def first_then_others(self, do: Callable[[], T]) -> T:
        """Call `do` in the first process, and when it is done in all others, which find its work."""
        if not self.is_first:
            self.add_up([torch.zeros(1)])
        done = do()
        if self.is_first:
            self.add_up([torch.zeros(1)])
        return done

    def leave_to_first(self) -> None:
        """End this process in order, unless it is the first, which writes what all have made."""
        if not self.is_first:
            import torch.distributed as dist

            dist.destroy_process_group()
            raise SystemExit(0)

    def rows(
        self, compute: Callable[[Sequence[T]], Tensor], batches: Sequence[Sequence[T]]
    ) -> Tensor:
        """The rows of all batches in order; each process computes those of whole batches.

        Args:
            compute: items of one batch or more -> a row on the CPU for each.
            batches: of at least one item in all.
        """
        mine = [batches[i] for i in np.array_split(np.arange(len(batches)), self.n)[self.number]]
        items = [item for batch in mine for item in batch]
        rows = compute(items) if items else None
        if not self.joined:
            assert rows is not None
            return rows
        import torch.distributed as dist

        found: list[Tensor | None] = [None] * self.n
        with _lost():
            dist.all_gather_object(found, rows)
        return torch.cat([part for part in found if part is not None])


ALONE = Ranks()


@contextmanager
def joined_ranks(environment: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """Join the processes that torch's agent has started with this one, until the end of the context.

    Without an agent this process is alone. Otherwise it takes its share of the cores of its machine,
    unless HEADSTART_THREADS and HEADSTART_WORKERS are set, and its own GPU.

    Raises:
        HeadstartError: there are more processes than GPUs, or HEADSTART_DEVICE names a single device.
    """
    if not all(name in environment for name in GIVEN):
        yield ALONE
        return
    import torch.distributed as dist

    n_here = int(environment.get("LOCAL_WORLD_SIZE", "1"))
    n_threads = str(max(1, n_workers({}) // n_here))
    os.environ.setdefault("HEADSTART_THREADS", n_threads)
    os.environ.setdefault("HEADSTART_WORKERS", n_threads)
    backend = _backend(environment.get("HEADSTART_DEVICE", "auto"), n_here)
    if backend != "gloo":
        torch.cuda.set_device(int(environment.get("LOCAL_RANK", "0")))
    with _lost():
        dist.init_process_group(backend, timeout=PATIENCE)
    yield Ranks(dist.get_rank(), dist.get_world_size(), joined=True)
    dist.destroy_process_group()  # after an error the process ends, and waits for nobody


def _backend(device: str, n_here: int) -> str:
    """The ways in which tensors travel: those on CPUs, and those on GPUs where these train."""
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if not on_gpu and device not in ("auto", "cpu"):
        raise HeadstartError(
            f"HEADSTART_DEVICE is {device!r}, but several processes train the network; it must be "
            "auto, cpu or cuda, which gives each process its own GPU."
        )
    if on_gpu and n_here > (n_gpus := torch.cuda.device_count()):
        raise HeadstartError(
            f"{n_here} processes train the network, but torch sees {n_gpus} GPUs here; set "
            f"HEADSTART_PROCS to {max(1, n_gpus)} or auto, or HEADSTART_DEVICE to cpu."
        )
    return "cpu:gloo,cuda:nccl" if on_gpu else "gloo"


@contextmanager
def _lost() -> Iterator[None]:
    """Say in a sentence that another process has ended."""
    try:
        yield
    except RuntimeError as error:  # of torch.distributed
        raise LostProcessError(
            "Another process of this training has ended or cannot be reached, so this one ends too: "
            f"{str(error).splitlines()[0]}"
        ) from error
