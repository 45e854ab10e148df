"""Keeps near duplicates on one side of the splits, and says where they are not."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from headstart.indexing.joined import Joined
from headstart.indexing.labelling import Meaning, Problem
from headstart.indexing.near_duplicates import Near

ORDER = {None: 0, "train": 0, "valid": 1, "test": 2}  # None is drawn from what could be train
N_NAMED = 3  # pairs of different labels that a note names
TOO_SIMILAR = (
    "Near duplicates cannot be told: these pictures are too similar (frames of a video? Then say by "
    "index_images.group_regex which belong together)."
)
COLUMNS = [
    *("first", "second", "kind", "similarity", "first_split", "second_split"),
    *("first_labels", "second_labels", "set_aside"),
]


@dataclass(frozen=True)
class Pair:
    """Two picture ids that are near duplicates, in the order of the ids; how they are."""

    first: str
    second: str
    near: Near

    def other(self, picture: str) -> str:
        """The one of the two that is not `picture`."""
        return self.second if picture == self.first else self.first


def pairs_of(near: Sequence[Near], ids: Sequence[str]) -> list[Pair]:
    """The pairs by picture id.

    Args:
        near: by number.
        ids: the picture id of each number.
    """
    ends = [sorted((ids[pair.first], ids[pair.second])) for pair in near]
    pairs = [Pair(first, second, pair) for (first, second), pair in zip(ends, near, strict=True)]
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def keep_apart(
    known: Mapping[str, Meaning],
    pairs: Sequence[Pair],
    copies: Mapping[str, Sequence[str]],
    out: Collection[str] = (),
) -> tuple[dict[str, Meaning], list[Problem]]:
    """The pictures without those that a later split has near duplicates of, and a problem of each.

    Of labelled pictures of one shot, those in the last of train, valid, test stay, since removing
    others costs less. Pictures without labels score nothing, so they count as no duplicates.

    Args:
        known: labels and given split of each picture id; no split: it is yet to be drawn.
        pairs: near duplicates; both of each pair are known.
        copies: the paths of each picture.
        out: pictures that are to be left out; they are no problem, and none of the others is because of
            them.
    """
    pairs = labelled(pairs, known)
    shot = _shots(pairs)
    early = _early({i: first for i, first in shot.items() if i not in out}, known)
    gone = early | {i for i in _early(shot, known) if i in out}
    reason: dict[str, str] = {}
    for pair in sorted(pairs, key=lambda pair: -pair.near.similarity):
        for picture in (pair.first, pair.second):
            other = known[pair.other(picture)]
            is_later = ORDER[other.split] > ORDER[known[picture].split]
            if picture in early and is_later and pair.other(picture) not in out:
                reason.setdefault(picture, _reason(pair, picture, known, copies))
    chained = "it shows the shot of near duplicates that reach into a later split"
    problems = [
        Problem(path, "near_duplicate", reason.get(picture, chained))
        for picture in sorted(early)
        for path in copies[picture]
    ]
    return {i: said for i, said in known.items() if i not in gone}, problems


def _early(shot: Mapping[str, str], known: Mapping[str, Meaning]) -> set[str]:
    """The pictures of whose shot another picture is in a later split.

    Args:
        shot: of each picture that counts.
        known: labels and given split of these, and of others.
    """
    last: defaultdict[str, int] = defaultdict(int)
    for picture, first in shot.items():
        last[first] = max(last[first], ORDER[known[picture].split])
    return {i for i, first in shot.items() if ORDER[known[i].split] < last[first]}


def labelled(pairs: Sequence[Pair], known: Mapping[str, Meaning]) -> list[Pair]:
    """The pairs of two labelled pictures."""
    has = {i for i, said in known.items() if said.labels is not None}
    return [pair for pair in pairs if pair.first in has and pair.second in has]


def joined_groups(
    group: Mapping[str, str], pairs: Sequence[Pair], known: Mapping[str, Meaning]
) -> dict[str, str]:
    """The group of each picture; groups that hold pictures of one shot in one split are joined.

    A joined group has the first of the names. A picture that was set aside joins no groups, since
    its group and its shot may be in two splits.

    Args:
        group: of each picture.
        pairs: near duplicates, each known to `group`.
        known: labels and given split of each picture that was not set aside.
    """
    joined = Joined()
    name_of: dict[tuple[str, str | None], str] = {}  # of a shot in a split
    for picture, shot in _shots(pairs).items():
        if picture in known:
            name = group[picture]
            joined.join(name_of.setdefault((shot, known[picture].split), name), name)
    first = joined.groups()
    return {picture: first.get(name, name) for picture, name in group.items()}


def _shots(pairs: Sequence[Pair]) -> dict[str, str]:
    """The shot of each picture of these pairs, named by the first of its pictures."""
    joined = Joined()
    for pair in pairs:
        joined.join(pair.first, pair.second)
    return joined.groups()


def near_table(
    pairs: Sequence[Pair],
    before: Mapping[str, Meaning],
    kept: Mapping[str, Meaning],
    copies: Mapping[str, Sequence[str]],
    set_aside: Sequence[Problem],
) -> pd.DataFrame:
    """A row for each pair of pictures that are used, or would be but for `set_aside`.

    Pairs in two splits come first, then those with different labels, then the most similar.

    Args:
        pairs: near duplicates.
        before: labels and given split of each picture.
        kept: labels and split of each picture that is used.
        copies: the paths of each picture.
        set_aside: problems of near duplicates.

    Returns:
        columns first, second (paths), kind (copy, mirrored, cropped, mirrored cropped), similarity
        (at most 1), first_split and second_split (empty: set aside before it was drawn), first_labels
        and second_labels (with a space between; empty: none), set_aside (path of the one, or empty).
    """
    aside = {problem.path for problem in set_aside}
    rows: list[Any] = []
    for pair in pairs:
        ids = sorted((pair.first, pair.second), key=lambda picture: copies[picture][0])
        paths = [copies[i][0] for i in ids]
        if not all(i in kept or path in aside for i, path in zip(ids, paths, strict=True)):
            continue
        said = [kept.get(i, before[i]) for i in ids]
        rows.append(
            (
                *paths, pair.near.kind, round(pair.near.similarity, 3),
                *(one.split or "" for one in said),
                *(" ".join(one.labels or ()) for one in said),
                next((path for path in paths if path in aside), ""),
            )
        )  # fmt: skip
    rows.sort(key=lambda row: (row[4] == row[5], row[6] == row[7], -row[3], row[0], row[1]))
    return pd.DataFrame(rows, columns=COLUMNS)


def near_counts(table: pd.DataFrame) -> dict[str, int]:
    """Pairs in all, and of those how many are in two splits, lost one picture, and so on.

    A pair of which one picture was set aside is in no two splits.
    """
    aside = table["set_aside"] != ""
    return {
        "pairs": len(table),
        "in_two_splits": int(((table["first_split"] != table["second_split"]) & ~aside).sum()),
        "set_aside": int(aside.sum()),
        "of_two_labels": int(_differ(table).sum()),
        "mirrored": int(table["kind"].str.contains("mirrored").sum()),
        "cropped": int(table["kind"].str.contains("cropped").sum()),
    }


def near_notes(table: pd.DataFrame | None, together: bool) -> list[str]:
    """What the stage says of the pairs: nothing if there are none.

    Args:
        table: as `near_table`; None: the pictures are too similar to tell.
        together: whether splits keep them together.
    """
    if table is None:
        return [TOO_SIMILAR]
    if table.empty:
        return []
    n = near_counts(table)
    kinds = ", ".join(f"{n[kind]} {kind}" for kind in ("mirrored", "cropped") if n[kind])
    said = f"Near duplicates: {_pairs(n['pairs'])}{f' ({kinds})' if kinds else ''}"
    if together:
        n_aside = table.loc[table["set_aside"] != "", "set_aside"].nunique()
        them = "1 picture is" if n_aside == 1 else f"{n_aside:,} pictures are"
        aside = f"{them} set aside, as a later split has the same shot"
        said += f"; {aside if n_aside else 'no split separates them'}"
    elif n["in_two_splits"]:
        said += f", {n['in_two_splits']} in two splits: scores on these are too high"
    notes = [f"{said}. near_duplicates.csv lists them."]
    if n["of_two_labels"]:
        rows = table[_differ(table)].head(N_NAMED)
        named = "; ".join(
            f"{row['first']} ({row['first_labels'] or 'none'}) and {row['second']} "
            f"({row['second_labels'] or 'none'})"
            for _, row in rows.iterrows()
        )
        more = ", ..." if n["of_two_labels"] > len(rows) else ""
        have = "pair has" if n["of_two_labels"] == 1 else "pairs have"
        notes.append(
            f"{n['of_two_labels']} {have} different labels, one of which is probably wrong: "
            f"{named}{more}."
        )
    return notes


def _differ(table: pd.DataFrame) -> "pd.Series[bool]":
    """Whether two labelled pictures have different labels; those of unlabelled ones are empty."""
    both = (table["first_labels"] != "") & (table["second_labels"] != "")
    return both & (table["first_labels"] != table["second_labels"])


def _reason(
    pair: Pair,
    picture: str,
    known: Mapping[str, Meaning],
    copies: Mapping[str, Sequence[str]],
) -> str:
    other, kind = pair.other(picture), pair.near.kind.replace(" ", " and ")
    shown = "a copy of" if kind == "copy" else f"the same shot, {kind}, as"
    labels = known[other].labels
    differs = f", where it is {' '.join(labels or ())}" if labels != known[picture].labels else ""
    return f"{shown} {copies[other][0]} in {known[other].split}{differs}"


def _pairs(n: int) -> str:
    return f"{n:,} {'pair' if n == 1 else 'pairs'}"
