"""Memory that is not cleaned more often than somebody reads it.

Both cost no bit of a result. By default more than half of the time of a network's forward and backward
pass on two cores goes into pages that the kernel zeroes, and a tenth of a deterministic training step
into tensors that torch fills before they are written (bench.fast_paths).
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
    """Let torch's deterministic mode not fill every tensor that an operation is about to write.

    It does so against operations that read what nobody wrote.
    """
    deterministic: Any = torch.utils.deterministic  # which torch has not typed
    deterministic.fill_uninitialized_memory = False
