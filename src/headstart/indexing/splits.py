"""Splits pictures into train, valid and test by content and seed, never by the order of a listing.

A group of pictures goes to one split as a whole.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.indexing.labelling import Meaning, meaning
from headstart.indexing.whole_groups import place_groups


@dataclass(frozen=True)
class SplitRule:
    """How pictures without a given split are drawn.

    Attributes:
        valid_frac: in [0, 1).
        test_frac: in [0, 1); both together are below 1.
        seed: another seed gives another order.
        n_folds: 0: valid is `valid_frac` of the pictures. From 2 on: the pictures outside test are cut
            into this many folds, and valid is one of them.
        fold: the number of the fold that is valid, 0 ... n_folds - 1.
    """

    valid_frac: float
    test_frac: float
    seed: int
    n_folds: int = 0
    fold: int = 0

    def sizes(self, n: int, label: str) -> dict[str, int]:
        """How the `n` pictures of a label are divided; at least one is left for train or the folds.

        Keys are test, valid, train, or test and the folds by number.
        """
        n_test = min(_rounded(self.test_frac * n), n - 1)
        if not self.n_folds:
            n_valid = min(_rounded(self.valid_frac * n), n - 1 - n_test)
            return {"test": n_test, "valid": n_valid, "train": n - n_test - n_valid}
        in_all, n_more = divmod(n - n_test, self.n_folds)
        first = _digest(self.seed, label)[0]  # so that small classes do not all begin in fold 0
        more = {(first + i) % self.n_folds for i in range(n_more)}
        folds = {str(fold): in_all + (fold in more) for fold in range(self.n_folds)}
        return {"test": n_test, **folds}

    def fractions(self) -> dict[str, float]:
        """The part of the pictures that each key of `sizes` should get; their sum is 1."""
        rest = 1 - self.test_frac
        if not self.n_folds:
            valid = self.valid_frac
            return {"test": self.test_frac, "valid": valid, "train": rest - valid}
        folds = {str(fold): rest / self.n_folds for fold in range(self.n_folds)}
        return {"test": self.test_frac, **folds}

    def n_wanted(self, split: str, n: int, label: str) -> int:
        """How many of the `n` pictures of a label should be in `split`."""
        sizes = self.sizes(n, label).items()
        return sum(size for place, size in sizes if self.split_of(place) == split)

    def split_of(self, place: str) -> str:
        """The split that a key of `sizes` stands for."""
        if place.isdecimal():
            return "valid" if int(place) == self.fold else "train"
        return place


def assign(
    known: Mapping[str, Meaning], n_max: int, rule: SplitRule, group: Mapping[str, str]
) -> dict[str, Meaning]:
    """Keep at most `n_max` pictures of each class of each given split; split those without a split.

    Args:
        known: labels and given split of each picture id.
        n_max: 0 keeps all. It limits pictures, whatever their groups: a group may lose some of its
            pictures, and the others stay together.
        rule: for pictures without a given split.
        group: of each picture.
    """
    kept = limited(_strata_of_splits(known), n_max) if n_max else set(known)
    drawn = stratified_split(
        {i: known[i].labels or () for i in kept if known[i].split is None}, rule, group
    )
    return {i: meaning(known[i].labels, known[i].split or drawn[i]) for i in sorted(kept)}


def _strata_of_splits(known: Mapping[str, Meaning]) -> dict[str, str]:
    """The given split of each picture, and its stratum there."""
    stratum: dict[str, str] = {}
    for split in {said.split for said in known.values()}:  # so no label of test moves any of train
        of_split = {i: said.labels for i, said in known.items() if said.split == split}
        stratum |= strata({i: labels for i, labels in of_split.items() if labels is not None})
    return {i: f"{said.split} {stratum.get(i)}" for i, said in known.items()}


def strata(labels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The stratum of each picture: the rarest of its labels (ties by name), "" where it has none.

    If each picture has exactly one label, its stratum is that label.
    """
    n = Counter(label for of_one in labels.values() for label in of_one)
    return {
        picture: min(of_one, key=lambda label: (n[label], label), default="")
        for picture, of_one in labels.items()
    }


def limited(strata: Mapping[str, str], n_max: int) -> set[str]:
    """At most `n_max` pictures of each stratum: those with the lowest ids (digests)."""
    return {picture for of_one in _by_stratum(strata).values() for picture in of_one[:n_max]}


def stratified_split(
    labels: Mapping[str, Sequence[str]], rule: SplitRule, group: Mapping[str, str]
) -> dict[str, str]:
    """Split the pictures of each label into train, valid and test; a group stays together.

    Groups of several pictures are placed first (`place_groups`), in an order drawn by
    sha256(seed, lowest id). Single pictures then make up for what the groups left uneven, label by
    label, the rarest first.

    The single pictures of a label are sorted by sha256(seed, id). Pictures that a group or a rarer
    label has placed already count towards the label's test, valid and train. The others fill what is
    left of test, valid and train, in this order. So adding or removing a picture or a group moves few
    others, those beside the cuts. Every label keeps at least one picture in train.

    Source: Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD
    2011 (iterative stratification), with a drawn order in place of its random ties.

    Args:
        labels: of each picture id: exactly one, or any number.
        rule: the sizes of the splits, and the seed.
        group: of each picture.
    """
    order = sorted(labels, key=lambda i: _digest(rule.seed, i))
    of_label: defaultdict[str, list[str]] = defaultdict(list)
    n_members = Counter(group[picture] for picture in order)
    members: defaultdict[str, list[str]] = defaultdict(list)  # of groups of several
    for picture in order:
        if n_members[group[picture]] > 1:
            members[group[picture]].append(picture)
        for label in labels[picture] or ("",):
            of_label[label].append(picture)
    rarest_first = sorted(of_label, key=lambda label: (not label, len(of_label[label]), label))
    place = _of_groups(labels, rule, list(members.values()))
    for label in rarest_first:
        pictures = of_label[label]
        wanted = Counter(rule.sizes(len(pictures), label))
        wanted.subtract(place[picture] for picture in pictures if picture in place)
        where = iter([key for key, n in wanted.items() for _ in range(n)])
        place |= {picture: next(where) for picture in pictures if picture not in place}
    split = {picture: rule.split_of(place[picture]) for picture in order}
    for label in rarest_first:
        if all(split[picture] != "train" for picture in of_label[label]):
            last_first = [members.get(group[i], [i]) for i in reversed(of_label[label])]
            # The smallest, and from valid if possible, so that test stays the same in all folds.
            moved = min(last_first, key=lambda ids: (split[ids[0]] == "test", len(ids)))
            split |= dict.fromkeys(moved, "train")
    return split


def _of_groups(
    labels: Mapping[str, Sequence[str]], rule: SplitRule, groups: Sequence[Sequence[str]]
) -> dict[str, str]:
    """The place of each picture of these groups; each has several pictures."""
    if not groups:
        return {}
    drawn = {min(ids): ids for ids in sorted(groups, key=lambda ids: _digest(rule.seed, min(ids)))}
    counts = {
        first: Counter(label for i in ids for label in labels[i] or ("",))
        for first, ids in drawn.items()
    }
    single = labels.keys() - {i for ids in groups for i in ids}
    beside = Counter(label for i in single for label in labels[i] or ("",))
    sizes = {first: len(ids) for first, ids in drawn.items()}
    placed = place_groups(counts, sizes, rule.fractions(), beside)
    return {i: placed[first] for first, ids in drawn.items() for i in ids}


def _by_stratum(strata: Mapping[str, str]) -> dict[str, list[str]]:
    """The ids of each stratum, sorted."""
    pictures: defaultdict[str, list[str]] = defaultdict(list)
    for picture in sorted(strata):
        pictures[strata[picture]].append(picture)
    return pictures


def _rounded(x: float) -> int:
    """To the nearest whole number, halves up (round() would take the even one)."""
    return math.floor(x + 0.5 + 1e-9)


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
