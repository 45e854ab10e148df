"""Random draws that depend on nothing but a key.

Every draw comes from a key (seed, purpose, epoch, picture id, copy), never from the state that an
earlier draw left behind, so results do not depend on batch order, worker count or resumption.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray


def key_seed(*key: object) -> int:
    """63 bits from a key of numbers and words (repr of each part, so 1 and "1" differ)."""
    text = "|".join(map(repr, key))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def permutation(n: int, *key: object) -> NDArray[np.int64]:
    """A shuffled arange(n) that the key alone decides."""
    return np.random.default_rng(key_seed(*key)).permutation(n)


@contextmanager
def torch_seed(*key: object) -> Iterator[None]:
    """Seed torch's own draws (dropout, initialisation) by the key; the outer state is untouched."""
    with torch.random.fork_rng():  # the CPU and every GPU
        torch.manual_seed(key_seed(*key))
        yield
