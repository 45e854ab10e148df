"""Finds the labels and the split of each file, from its path or from a table of labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from headstart.project.errors import HeadstartError

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Meaning:
    """The labels (None: not labelled) and the split (None: not given) of one file."""

    labels: tuple[str, ...] | None
    split: str | None


class Problem(NamedTuple):
    """One thing that is wrong with the data."""

    path: str
    problem: str  # its kind, such as no_class
    detail: str


Meanings = tuple[dict[str, Meaning], list[Problem]]  # by path


def from_folders(paths: Iterable[str], given: bool) -> Meanings:
    """Labels by class folders: train/<class>/..., valid/..., test/... if `given`, else <class>/...

    Pictures that lie in test/ itself are test pictures without labels.

    Raises:
        ValueError: the folders do not have the form that `given` says.
    """
    found: dict[str, Meaning] = {}
    problems = []
    paths = list(paths)
    tops = sorted({path.split("/")[0] for path in paths if "/" in path})
    if given and "train" not in tops:
        raise HeadstartError(
            "index_images.split is given, but the pictures have no folder train/ (they have "
            f"{_listed(tops)}); if these are class folders, set it to stratified."
        )
    if not given and "train" in tops and set(tops) <= set(PARTS):
        raise HeadstartError(
            f"index_images.split is stratified, but the pictures are already split into folders "
            f"({_listed(tops)}); set it to given, or set dataset.source to the folder that holds the "
            "class folders."
        )
    for path in paths:
        part, folders = (None, path.split("/")[:-1])
        if given:
            part, *folders = folders or [""]
        if given and part not in PARTS:
            problems.append(Problem(path, "no_part", "it lies in none of train/, valid/, test/"))
        elif folders or part == "test":
            found[path] = Meaning((folders[0],) if folders else None, part)
        else:
            problems.append(Problem(path, "no_class", "it lies in no class folder"))
    return found, problems


def from_table(
    paths: Iterable[str],
    labels: Mapping[str, set[tuple[str, ...]]],
    given: bool,
    may_be_empty: bool,
) -> Meanings:
    """Labels from a table. Pictures below test/ that it does not name are test pictures without labels.

    Args:
        paths: of all pictures.
        labels: the labels in the rows of each path; several elements: its rows contradict each other.
        given: whether the top folder of a path (train, valid, test) is its split.
        may_be_empty: whether a row without labels means that the picture has no label, as with several
            labels a picture; otherwise such a row says nothing.
    """
    found: dict[str, Meaning] = {}
    paths = set(paths)
    problems = [
        Problem(path, "row_without_file", "the table of labels names it, but there is no such file")
        for path in labels
        if path not in paths
    ]
    for path in paths:
        part = path.split("/")[0] if "/" in path else ""
        rows = sorted(labels.get(path, ()))
        split = part if given else None
        if len(rows) > 1:
            said = " and ".join(" ".join(row) for row in rows)
            problems.append(Problem(path, "two_labels", f"rows of the table say {said}"))
        elif rows and given and part not in PARTS:
            problems.append(Problem(path, "no_part", "it lies in none of train/, valid/, test/"))
        elif rows and (rows[0] or may_be_empty):
            found[path] = Meaning(rows[0], split)
        elif part == "test":
            found[path] = Meaning(None, "test")
        elif rows:
            problems.append(Problem(path, "no_label", "its row of the table has no label"))
        else:
            problems.append(Problem(path, "file_without_row", "the table has no row for it"))
    return found, problems


def agreed(
    copies: Mapping[str, Sequence[str]], meanings: Mapping[str, Meaning]
) -> tuple[dict[str, Meaning], list[Problem]]:
    """The labels and the split of each content; copies that contradict one another become problems.

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
            known[content] = said[0]
            continue
        for path in paths:
            others = ", ".join(other for other in paths if other != path)
            problems.append(Problem(path, kind, f"the same content as {others}"))
    return known, problems


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
