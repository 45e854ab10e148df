"""Random draws that depend on nothing but a key.

Every draw comes from a key (seed, purpose, epoch, picture id, copy), never from the state that an
earlier draw left behind, so results do not depend on batch order, worker count or resumption.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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


def draws_so_far(device: torch.device) -> list[Tensor]:
    """The state of torch's draws on the CPU, and on `device` if it is another: for `draw_on`."""
    states = [torch.get_rng_state()]
    match device.type:
        case "cuda":
            states.append(torch.cuda.get_rng_state(device))
        case "mps":
            states.append(torch.mps.get_rng_state())
    return states


def draw_on(states: Sequence[Tensor], device: torch.device) -> None:
    """Let torch's draws go on where they were; call it inside `torch_seed`."""
    torch.set_rng_state(states[0])
    for state in states[1:]:
        if device.type == "cuda":
            torch.cuda.set_rng_state(state, device)
        else:
            torch.mps.set_rng_state(state)
