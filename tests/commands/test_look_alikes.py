"""Which hashes are near, for these pictures."""

import numpy as np
from numpy.typing import NDArray

from headstart.commands.look_alikes import Alike, look_alikes

Hash = NDArray[np.uint64]


def hashes(n: int, seed: int = 0) -> dict[str, Hash]:
    """Random hashes, as those of unlike pictures are."""
    values = np.random.default_rng(seed).integers(0, 2**64, (n, 2), dtype=np.uint64)
    return {f"{i:04}": value for i, value in enumerate(values)}


def changed(value: Hash, n_bits: int) -> Hash:
    flipped = np.zeros(128, np.uint8)
    flipped[np.random.default_rng(n_bits).permutation(128)[:n_bits]] = 1
    return value ^ np.packbits(flipped).view(np.uint64)


def test_near_pairs_are_found_and_no_others() -> None:
    of = hashes(500)
    assert look_alikes(of) == []
    of |= {"x": changed(of["0007"], 3), "y": changed(of["0300"], 12), "z": changed(of["0400"], 13)}
    assert look_alikes(of) == [Alike("0007", "x", 3), Alike("0300", "y", 12)]


def test_the_pairs_are_those_of_a_plain_loop() -> None:
    of = hashes(150)
    of |= {f"a{i}": changed(of[f"{i:04}"], i % 16) for i in range(100)}
    paths = list(of)
    plain = [
        Alike(first, second, n_bits)
        for i, first in enumerate(paths)
        for second in paths[i + 1 :]
        if (n_bits := int(np.bitwise_count(of[first] ^ of[second]).sum())) <= 12
    ]
    assert look_alikes(of) == plain and len(plain) > 70


def test_a_copy_of_each_picture() -> None:
    of = hashes(200)
    of |= {f"copy{path}": value for path, value in of.items()}
    found = look_alikes(of)
    assert found is not None and len(found) == 200


def test_few_pictures() -> None:
    assert look_alikes({}) == [] and look_alikes(hashes(1)) == []
    [value] = hashes(1).values()
    assert look_alikes({"a": value, "b": changed(value, 2)}) == [Alike("a", "b", 2)]


def test_near_means_nearer_where_all_pictures_are_similar() -> None:
    value = hashes(1)["0000"]
    # each differs from a common picture in 17 bits, so the nearest others are some 25 away
    of = {}
    rng = np.random.default_rng(0)
    for i in range(300):
        flipped = np.zeros(128, np.uint8)
        flipped[rng.permutation(128)[:17]] = 1
        of[f"{i:04}"] = value ^ np.packbits(flipped).view(np.uint64)
    of |= {"x": changed(of["0007"], 6), "y": changed(of["0200"], 11)}
    assert look_alikes(of) == [Alike("0007", "x", 6)]


def test_pictures_that_are_too_similar_are_not_judged() -> None:
    value = hashes(1)["0000"]
    of = {f"{i:04}": changed(value, i % 9) for i in range(300)}
    assert look_alikes(of) is None
