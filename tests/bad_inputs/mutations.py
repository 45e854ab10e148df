"""Bytes that were right before a seeded draw changed them."""

import zlib
from collections.abc import Sequence

import numpy as np

N_CHANGES = 4  # at most, of one input
LENGTHS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers at which length fields overflow."""


def mutated(seeds: Sequence[bytes], reader: str, number: int) -> bytes:
    """One of the seeds after a few changes: flips, deletions, duplications, splices, wrong lengths.

    The same reader and number give the same bytes.

    Args:
        seeds: valid inputs of the reader, none of them empty.
        reader: name, so that readers draw different changes.
        number: of the input, from 0.
    """
    draw = np.random.default_rng((zlib.crc32(reader.encode()), number))
    data = bytearray(seeds[int(draw.integers(len(seeds)))])
    for _ in range(min(N_CHANGES, draw.geometric(0.5))):
        _change(data, seeds, draw)
    return bytes(data)


def _change(data: bytearray, seeds: Sequence[bytes], draw: np.random.Generator) -> None:
    if not data:
        return
    # half of the changes near one end, where headers and tables of contents are
    near = int(draw.choice([len(data), min(64, len(data)), -min(64, len(data))], p=[0.5, 0.3, 0.2]))
    at = int(draw.integers(near)) if near > 0 else len(data) + int(draw.integers(near, 0))
    n = min(1 << int(draw.integers(0, 9)), len(data) - at)
    match draw.integers(8):
        case 0:
            data[at] ^= 1 << int(draw.integers(8))
        case 1:
            data[at : at + n] = draw.bytes(n)
        case 2:
            del data[at : at + n]
        case 3:
            data[at:at] = data[at : at + n] * int(draw.choice([1, 2, 50]))
        case 4:
            other = seeds[int(draw.integers(len(seeds)))]
            start = int(draw.integers(len(other)))
            data[at : at + n] = other[start : start + n]
        case 5:
            size = int(draw.choice([1, 2, 4, 8]))
            value = int(draw.choice(LENGTHS)) % 256**size
            order = "little" if draw.integers(2) else "big"
            data[at : at + size] = value.to_bytes(size, order)
        case 6:
            del data[at:]
        case _:
            data[at : at + n] = data[at : at + n][::-1]
