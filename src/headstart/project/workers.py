"""A thread pool that gives its results in order and holds few of them at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from headstart.project.errors import HeadstartError

A = TypeVar("A")
B = TypeVar("B")

N_AHEAD = 4  # jobs per worker, waiting or done


def n_workers(environment: Mapping[str, str] = os.environ) -> int:
    """Number of threads for pictures: HEADSTART_WORKERS, or the number of cores of this process.

    Raises:
        ValueError: HEADSTART_WORKERS is not a whole number of at least 1.
    """
    if wanted := environment.get("HEADSTART_WORKERS"):
        if not wanted.isdecimal() or int(wanted) < 1:
            raise HeadstartError(
                f"HEADSTART_WORKERS is {wanted!r}; it must be a whole number from 1."
            )
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_procs(n_gpus: Callable[[], int], environment: Mapping[str, str] = os.environ) -> int:
    """Number of processes that share a stage: HEADSTART_PROCS, or 1; `auto` is one for each GPU.

    Args:
        n_gpus: counts the visible GPUs; called for `auto` alone.
        environment: environment variables.

    Raises:
        HeadstartError: HEADSTART_PROCS is neither a whole number of at least 1 nor auto.
    """
    wanted = environment.get("HEADSTART_PROCS") or "1"
    if wanted == "auto":
        return max(1, n_gpus())
    if not wanted.isdecimal() or int(wanted) < 1:
        raise HeadstartError(
            f"HEADSTART_PROCS is {wanted!r}; it must be a whole number from 1, or auto (one process "
            "for each visible GPU)."
        )
    return int(wanted)


def in_order(
    function: Callable[[A], B], items: Iterable[A], at_most: int | None = None
) -> Iterator[B]:
    """Yield function(item) for each item, in the order of `items`, computed by n_workers() threads.

    `at_most`: no more threads than this.

    Unlike Executor.map it takes items and keeps results only a little ahead of the consumer, so
    memory stays flat. The first exception ends it.
    """
    n = min(n_workers(), at_most or n_workers())
    with ThreadPoolExecutor(n) as pool:
        yield from ordered(pool, N_AHEAD * n, function, items)


def ordered(
    pool: Executor, n_ahead: int, function: Callable[[A], B], items: Iterable[A]
) -> Iterator[B]:
    """As `in_order`, in the threads of `pool`, with at most `n_ahead` jobs that are waiting or done.

    When it ends, early or by an exception too, no job of it runs any more.
    """
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= n_ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        wait([future for future in waiting if not future.cancel()])
