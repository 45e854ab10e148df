"""Finds what is wrong with groups: one on two sides of a given split, or too few for a drawn one."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from headstart.indexing.labelling import Meaning, Problem
from headstart.indexing.splits import SplitRule
from headstart.project.errors import HeadstartError

N_SHOWN = 5  # classes that a note names
NOT_SPLIT = "the pictures to be split"


def within_one_split(
    known: Mapping[str, Meaning],
    group: Mapping[str, str],
    copies: Mapping[str, Sequence[str]],
    out: Collection[str] = (),
) -> tuple[dict[str, Meaning], list[Problem]]:
    """The pictures whose group lies in one given split, and a problem for each file of the others.

    Args:
        known: labels and given split of each picture id.
        group: of each picture.
        copies: the paths of each picture.
        out: pictures that are to be left out; none of the others is because of them.
    """
    splits: defaultdict[str, set[str | None]] = defaultdict(set)
    of_out: defaultdict[str, set[str | None]] = defaultdict(set)
    for picture, said in known.items():
        (of_out if picture in out else splits)[group[picture]].add(said.split)
    kept, problems = {}, []
    for picture, said in known.items():
        name = group[picture]
        found = splits[name] | of_out[name] if picture in out else splits[name]
        others = sorted(split or NOT_SPLIT for split in found - {said.split})
        if not others:
            kept[picture] = said
            continue
        detail = f"its group {name} is in {' and '.join(others)} too"
        problems += [Problem(path, "two_splits", detail) for path in copies[picture]]
    return kept, problems


def check_drawn(
    known: Mapping[str, Meaning], group: Mapping[str, str], rule: SplitRule
) -> Iterator[str]:
    """A note for each split that lacks pictures or classes because no group is cut.

    Args:
        known: labels and drawn split of each picture id; at least one.
        group: of each picture.
        rule: that the splits were drawn by.

    Raises:
        ValueError: there are fewer groups than folds.
    """
    outside_test = {group[i] for i, said in known.items() if said.split != "test"}
    if len(outside_test) < rule.n_folds:
        raise HeadstartError(
            f"index_images.n_folds is {rule.n_folds}, but the pictures outside test lie in only "
            f"{len(outside_test)} groups, and each fold needs at least one: use fewer folds, or "
            "smaller groups."
        )
    n_in = Counter(group[picture] for picture in known)
    largest = 100 * max(n_in.values()) / len(known)
    numbers = f"{len(n_in)} groups, the largest holds {largest:.0f} % of the pictures"
    ids: defaultdict[str, list[str]] = defaultdict(list)  # of each label
    for picture, said in known.items():
        for label in said.labels or ():
            ids[label].append(picture)
    for split in ("valid", "test"):
        absent = [
            f"{label} ({_counted(len({group[i] for i in of_label}), 'group')})"
            for label, of_label in sorted(ids.items())
            if rule.n_wanted(split, len(of_label), label)
            and all(known[i].split != split for i in of_label)
        ]
        if absent and all(said.split != split for said in known.values()):
            yield f"Nothing is in {split}, because no group is cut: {numbers}."
        elif absent:
            more = f" and {len(absent) - N_SHOWN} more" if len(absent) > N_SHOWN else ""
            yield (
                f"No picture of {', '.join(absent[:N_SHOWN])}{more} is in {split}, because no group "
                f"is cut: {numbers}."
            )


def _counted(n: int, name: str) -> str:
    return f"{n} {name}" if n == 1 else f"{n} {name}s"
