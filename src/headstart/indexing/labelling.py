"""Finds the labels and the split of each file, from its path or from a table of labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from headstart.image_files.split_names import SplitName
from headstart.indexing.layout import Layout


@dataclass(frozen=True)
class Meaning:
    """The labels (None: not labelled) and the split (None: not given) of one file."""

    labels: tuple[str, ...] | None
    split: str | None


@cache
def meaning(labels: tuple[str, ...] | None, split: str | None) -> Meaning:
    """The one `Meaning` of these values; a million files may share it."""
    return Meaning(labels, split)


class Problem(NamedTuple):
    """One thing that is wrong with the data."""

    path: str
    problem: str  # its kind, such as no_class
    detail: str


Meanings = tuple[dict[str, Meaning], list[Problem]]  # by path


def from_folders(paths: Iterable[str], layout: Layout, given: bool) -> Meanings:
    """Labels by class folders: <class>/..., or train/<class>/..., valid/..., test/... by the layout.

    Pictures that lie in the test folder itself are test pictures without labels. Folders beside the
    splits and masks are left aside: they have no meaning, and are no problem either.

    Args:
        paths: of all pictures.
        layout: of these paths.
        given: whether train is given too; otherwise its pictures have no split yet.
    """
    found: dict[str, Meaning] = {}
    problems = []
    for path in paths:
        split, folders = layout.parts(path)
        if folders is None:
            if not layout.is_aside(path):
                problems.append(
                    Problem(path, "no_part", "it lies in none of train/, valid/, test/")
                )
        elif folders or split == "test":
            label = (folders[0],) if folders else None
            found[path] = meaning(label, split if given or split == "test" else None)
        else:
            problems.append(Problem(path, "no_class", "it lies in no class folder"))
    return found, problems


def from_table(
    paths: Iterable[str],
    labels: Mapping[str, set[tuple[str, ...]]],
    layout: Layout,
    given: bool,
    may_be_empty: bool,
    splits: Mapping[str, set[SplitName]] | None = None,
) -> Meanings:
    """Labels from a table. Pictures of test that it does not name have none.

    Args:
        paths: of all pictures.
        labels: the labels in the rows of each path; several elements: its rows contradict each other.
        layout: of these paths.
        given: whether train and valid are given too, and not only test.
        may_be_empty: whether a row without labels means that the picture has no label, as with several
            labels a picture; otherwise such a row says nothing.
        splits: those in the rows of each path; None: the folders say the split.
    """
    found: dict[str, Meaning] = {}
    paths = set(paths)
    problems = [
        Problem(path, "row_without_file", "the table of labels names it, but there is no such file")
        for path in labels
        if path not in paths
    ]
    nowhere = "it lies in none of train/, valid/, test/"
    if splits is not None:
        nowhere = "its row of the table names no split"
    for path in paths:
        parts = {layout.split_of(path)} if splits is None else splits.get(path, {None})
        part = next(iter(parts))
        rows = sorted(labels.get(path, ()))
        split = part if given or part == "test" else None
        if len(rows) > 1:
            said = " and ".join(" ".join(row) for row in rows)
            problems.append(Problem(path, "two_labels", f"rows of the table say {said}"))
        elif len(parts) > 1:
            said = " and ".join(sorted(map(str, parts)))
            problems.append(Problem(path, "two_splits", f"rows of the table say {said}"))
        elif rows and given and part is None:
            problems.append(Problem(path, "no_part", nowhere))
        elif rows and (rows[0] or may_be_empty):
            found[path] = meaning(rows[0], split)
        elif part == "test":
            found[path] = meaning(None, "test")
        elif rows:
            problems.append(Problem(path, "no_label", "its row of the table has no label"))
        elif path not in layout.masks:
            problems.append(Problem(path, "file_without_row", "the table has no row for it"))
    return found, problems


def agreed(
    copies: Mapping[str, Sequence[str]], meanings: Mapping[str, Meaning]
) -> tuple[dict[str, Meaning], list[Problem]]:
    """The labels and the split of each content; copies that contradict one another become problems.

    Copies without labels contradict no labels; the content has those of whichever copy has them.

    Args:
        copies: the paths of each content.
        meanings: labels and split of each path.
    """
    known, problems = {}, []
    for content, paths in copies.items():
        said = [meanings[path] for path in paths]
        if len({one.labels for one in said if one.labels is not None}) > 1:
            kind = "two_labels"
        elif len({one.split for one in said}) > 1:
            kind = "two_splits"
        else:
            known[content] = next((one for one in said if one.labels is not None), said[0])
            continue
        for path in paths:
            others = ", ".join(other for other in paths if other != path)
            problems.append(Problem(path, kind, f"the same content as {others}"))
    return known, problems
