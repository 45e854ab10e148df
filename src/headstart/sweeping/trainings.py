"""Trainings of the head in processes of their own, or one after the other in this one."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Concatenate, ParamSpec, Self, TypeVar

import torch

from headstart.project.errors import HeadstartError
from headstart.sweeping.objective import CachedSet

P = ParamSpec("P")
T = TypeVar("T")

DIED = (
    "A process of the sweep has died, often because memory is short. The trials that ended are kept, "
    "and the same command goes on; HEADSTART_WORKERS=1 needs less memory."
)


class Trainings:
    """Runs functions of one cached set; a context.

    Every training has one thread, here too: so its bits do not depend on the number of processes,
    and two on two cores take less time than one after the other with two threads.
    """

    def __init__(self, open_set: Callable[[], CachedSet], n_processes: int) -> None:
        """With 1 process, nothing is started, and each training waits until its result is wanted.

        Args:
            open_set: can be pickled. Each process calls it once; activations are mapped into memory,
                so that all processes share one copy.
            n_processes: at least 1.
        """
        self._open, self._n = open_set, n_processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._n_threads = torch.get_num_threads()
        if self._n == 1:
            self._set = self._open()
            torch.set_num_threads(1)
        else:  # a fork of a process with threads may hang
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._n, context, _begin, (self._open,))
        return self

    def __exit__(self, *_: object) -> None:
        """Trainings that have not begun never do; those that have take a second or two."""
        torch.set_num_threads(self._n_threads)
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def later(
        self, function: Callable[Concatenate[CachedSet, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Callable[[], T]:
        """Begin function(set, ...), which can be pickled; what is returned waits for its result.

        Raises:
            HeadstartError: a process has died; what is returned raises it, too.
        """
        if self._pool is None:
            return partial(function, self._set, *args, **kwargs)
        try:
            future = self._pool.submit(partial(_with_set, function), *args, **kwargs)
        except BrokenProcessPool:
            raise HeadstartError(DIED) from None
        return partial(_result, future)


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except BrokenProcessPool:
        raise HeadstartError(DIED) from None


_SETS: list[CachedSet] = []
"""The set of this process, once it is open."""


def _begin(open_set: Callable[[], CachedSet]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends them
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _SETS.append(open_set())
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _with_set(
    function: Callable[Concatenate[CachedSet, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    return function(_SETS[0], *args, **kwargs)
