"""Settings that avoid filling memory which is overwritten before anything reads it.

They change no bit of a result. By default more than half of the time of a network's forward and
backward pass on two cores goes into pages that the kernel zeroes. A tenth of a deterministic training
step goes into tensors that torch fills before they are written (bench.fast_paths).
"""

import ctypes
import sys
from typing import Any

import torch


def keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors instead of handing it back to the kernel.

    By default each large tensor is mapped and unmapped anew, and the kernel zeroes its pages each
    time.
    """
    if not sys.platform.startswith("linux"):
        return
    m_trim_threshold, m_mmap_max = -1, -4  # from malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library than glibc
        return
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)


def leave_new_memory_as_it_is() -> None:
    """Keep torch's deterministic mode from filling every tensor that an operation will write.

    The fill guards against operations that read uninitialised memory.
    """
    deterministic: Any = torch.utils.deterministic  # has no types in torch
    deterministic.fill_uninitialized_memory = False
