"""Divides whole groups among the places of a split: each place gets its part of every label."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial

Place = str  # test, valid, train, or the number of a fold
Shares = dict[str | None, float]  # by label; None: of the pictures

NEVER_THE_LAST = ("test", "valid")  # they may not take the last group of a label


def place_groups(
    groups: Mapping[str, Counter[str]],
    sizes: Mapping[str, int],
    fractions: Mapping[Place, float],
    beside: Mapping[str, int],
) -> dict[str, Place]:
    """Choose a place for each group, so that the places come near their fraction of every label.

    Large groups come first, so that smaller ones can make up for what they left uneven. Among groups
    of about one size (within a factor of 2), each place in turn takes those that bring it nearer
    to its fractions, in the order of `groups`. The rest go where they do the least harm. What counts
    is the sum of squares of what a place lacks, as a share of each label; the share of all pictures
    weighs as much as all labels together. Because places fill up one after another, a group more
    moves only groups beside the cuts.

    Source: the greedy choice of scikit-learn's StratifiedGroupKFold, which assigns groups one by one,
    each where the fractions then deviate least. There a group more may move any other.

    Args:
        groups: the number of pictures of each label, by group, in the order of the draw.
        sizes: the number of pictures of each group.
        fractions: of the pictures, by place; their sum is 1.
        beside: the number of pictures of each label that are in none of these groups.
    """
    of_label: Counter[str] = Counter()
    for of_one in groups.values():
        of_label.update(of_one)
    n_pictures = sum(sizes[group] for group in groups)
    shares: dict[str, Shares] = {
        group: {None: sizes[group] / n_pictures}
        | {label: n / of_label[label] for label, n in of_one.items()}
        for group, of_one in groups.items()
    }
    fractions = {place: fraction for place, fraction in fractions.items() if fraction > 0}
    lack: dict[Place, defaultdict[str | None, float]] = {
        place: defaultdict(float) for place in fractions
    }
    left = of_label + Counter(beside)  # pictures of each label that are not in test or valid
    chosen: dict[str, Place] = {}

    def gain(group: str, place: Place) -> float:
        """By how much the group brings the place nearer to its fractions."""
        return sum(
            (1 if label is not None else len(of_label)) * (2 * lack[place][label] - share) * share
            for label, share in shares[group].items()
        )

    def may(group: str, place: Place) -> bool:
        return place not in NEVER_THE_LAST or all(
            left[label] > n for label, n in groups[group].items()
        )

    def choose(group: str, place: Place) -> None:
        chosen[group] = place
        for label, share in shares[group].items():
            lack[place][label] -= share
        if place in NEVER_THE_LAST:
            left.subtract(groups[group])

    for alike in _by_size(sizes, groups):
        for group in alike:
            for label, share in shares[group].items():
                for place, fraction in fractions.items():
                    lack[place][label] += fraction * share
        for place in fractions:
            for group in alike:
                if group not in chosen and may(group, place) and gain(group, place) > 0:
                    choose(group, place)
        for group in alike:
            if group not in chosen:
                allowed = [place for place in fractions if may(group, place)]
                choose(group, max(allowed, key=partial(gain, group)))
    return chosen


def _by_size(sizes: Mapping[str, int], groups: Mapping[str, object]) -> list[list[str]]:
    """The groups in classes of about one size, the largest first; each keeps the given order."""
    alike: defaultdict[int, list[str]] = defaultdict(list)
    for group in groups:
        alike[sizes[group].bit_length()].append(group)
    return [alike[size] for size in sorted(alike, reverse=True)]
