"""Finds the group of each picture, such as a patient, from its path or from a column of the table."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from headstart.indexing.joined import Joined
from headstart.indexing.table_rows import MISSING, Table
from headstart.project.errors import HeadstartError

Names = dict[str, set[str]]
"""The names of the groups of each path; a path in no group is absent."""


class Grouping(NamedTuple):
    """The group of each picture.

    Attributes:
        of: group by picture id. A picture that belongs with no other is its own group, named by its id.
        notes: sentences on pictures without a group, and on groups that were joined.
    """

    of: dict[str, str]
    notes: tuple[str, ...] = ()


def groups_by_regex(paths: Iterable[str], regex: str) -> Names:
    """The group in each path: what the first capturing group of `regex` found, or the whole match.

    A path in which nothing, or an empty text, is found has no group.

    Args:
        paths: relative to the images folder, with /.
        regex: searched anywhere in a path.
    """
    pattern = re.compile(regex)
    found = {}
    for path in paths:
        if (match := pattern.search(path)) and (name := match[min(pattern.groups, 1)]):
            found[path] = {name}
    return found


def groups_by_column(table: Table, id_column: str, group_column: str) -> Names:
    """The groups in the rows of each id; an id whose cells are missing is absent.

    Args:
        table: of labels.
        id_column: name of the column of ids.
        group_column: name of the column of groups.

    Raises:
        HeadstartError: the table has no such column.
    """
    if group_column not in table.columns:
        guess = "".join(
            f"; did you mean {name}?"
            for name in get_close_matches(group_column, table.columns, n=1)
        )
        raise HeadstartError(
            f"index_images.group_column is {group_column!r}, but {table.name} has no such "
            f"column (it has {', '.join(table.columns)}){guess or '.'}"
        )
    found: Names = {}
    for row in table.rows:
        if (name := table.text(row, group_column)) not in MISSING:
            found.setdefault(table.text(row, id_column), set()).add(name)
    return found


def require_groups(names: Names, paths: Collection[str], key: str, value: str) -> None:
    """Refuse names that group nothing.

    Args:
        names: of the groups of each path.
        paths: of all pictures.
        key: that says where groups are, below index_images.
        value: of this key.

    Raises:
        ValueError: none of the paths has a group.
    """
    if paths and not names.keys() & set(paths):
        raise HeadstartError(
            f"index_images.{key} is {value!r}, but it gives a group to none of the {len(paths)} "
            f"pictures (such as {min(paths)!r}), so nothing would be grouped."
        )


def join_groups(
    labelled: Mapping[str, Sequence[str]], others: Mapping[str, Sequence[str]], names: Names
) -> Grouping:
    """The group of each picture; groups that hold copies of one content are joined.

    A joined group has the first of its names. A picture without labels is its own group, since nothing
    is scored on it.

    Args:
        labelled: the paths of each labelled picture.
        others: the paths of each other picture.
        names: of the groups of each path; empty: nothing is grouped, and no note is needed.
    """
    own = {picture: picture for picture in [*labelled, *others]}
    if not names:
        return Grouping(own)
    joined = Joined()
    of_picture = {picture: _of_paths(paths, names) for picture, paths in labelled.items()}
    for several in of_picture.values():
        for name in several:
            joined.join(several[0], name)
    first_name = joined.groups()
    of = own | {i: first_name[several[0]] for i, several in of_picture.items() if several}
    n_alone = sum(not several for several in of_picture.values())
    sizes = [n for n in Counter(first_name.values()).values() if n > 1]
    n_beside = sum(not first_name.keys().isdisjoint(_of_paths(p, names)) for p in others.values())
    notes = []
    if n_alone:
        notes.append(
            f"{n_alone} of {len(labelled)} labelled pictures are in no group: each is its own group."
        )
    if sizes:
        notes.append(
            f"{sum(sizes)} groups were joined into {len(sizes)}, because they hold copies of one "
            "picture."
        )
    if n_beside:
        notes.append(
            f"{n_beside} pictures without labels belong to groups of labelled pictures: a score on "
            "them, once they have labels, would be too high."
        )
    return Grouping(of, tuple(notes))


def _of_paths(paths: Iterable[str], names: Names) -> list[str]:
    return sorted({name for path in paths for name in names.get(path, ())})
