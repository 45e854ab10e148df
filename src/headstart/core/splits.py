"""Who goes into train, valid and test: by content and seed, never by the order of a listing."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from headstart.core.labelling import Meaning


def assign(
    known: Mapping[str, Meaning], n_max: int, valid_frac: float, test_frac: float, seed: int
) -> dict[str, Meaning]:
    """Keep at most `n_max` pictures of each class of each given split, and split what is not split.

    Args:
        known: what is said of each picture id.
        n_max: 0 keeps all.
        valid_frac: see stratified_split, as the others.
    """
    stratum = strata({i: said.labels for i, said in known.items() if said.labels is not None})
    kept = limited({i: f"{said.split} {stratum.get(i)}" for i, said in known.items()}, n_max)
    drawn = stratified_split(
        {i: stratum[i] for i in kept if known[i].split is None}, valid_frac, test_frac, seed
    )
    return {i: Meaning(known[i].labels, known[i].split or drawn[i]) for i in sorted(kept)}


def strata(labels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The stratum of each picture: the rarest of its labels (ties by name), "" where it has none.

    With exactly one label a picture that is its label.
    """
    n = Counter(label for of_one in labels.values() for label in of_one)
    return {
        picture: min(of_one, key=lambda label: (n[label], label), default="")
        for picture, of_one in labels.items()
    }


def limited(strata: Mapping[str, str], n_max: int) -> set[str]:
    """At most `n_max` pictures of each stratum (0: all): those with the lowest ids (digests)."""
    if n_max == 0:
        return set(strata)
    return {picture for of_one in _by_stratum(strata).values() for picture in of_one[:n_max]}


def stratified_split(
    strata: Mapping[str, str], valid_frac: float, test_frac: float, seed: int
) -> dict[str, str]:
    """Split each stratum by itself into train, valid and test.

    The pictures of a stratum are put in the order of sha256(seed, id) and cut at the fractions,
    rounded to the nearest picture; at least one stays in train. So a picture more or less moves at
    most a few others, those beside the cuts.

    Args:
        strata: the stratum of each picture id.
        valid_frac: in [0, 1).
        test_frac: in [0, 1); together below 1.
        seed: another seed, another order.
    """
    split = {}
    for pictures in _by_stratum(strata).values():
        shuffled = sorted(pictures, key=lambda i: hashlib.sha256(f"{seed} {i}".encode()).digest())
        n_test = min(_rounded(test_frac * len(shuffled)), len(shuffled) - 1)
        n_valid = min(_rounded(valid_frac * len(shuffled)), len(shuffled) - 1 - n_test)
        for place, picture in enumerate(shuffled):
            in_valid = place < n_test + n_valid
            split[picture] = "test" if place < n_test else "valid" if in_valid else "train"
    return split


def _by_stratum(strata: Mapping[str, str]) -> dict[str, list[str]]:
    """The ids of each stratum, sorted."""
    pictures: defaultdict[str, list[str]] = defaultdict(list)
    for picture in sorted(strata):
        pictures[strata[picture]].append(picture)
    return pictures


def _rounded(x: float) -> int:
    """To the nearest whole number, halves up (round() would take the even one)."""
    return math.floor(x + 0.5 + 1e-9)
