"""Finds the label of each file in its name, by a regular expression."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from headstart.indexing.labelling import PARTS, Meaning, Meanings, Problem


def checked_regex(regex: str) -> str:
    """The regular expression itself.

    Raises:
        ValueError: it is none, or has no group that could be the class.
    """
    try:
        n_groups = re.compile(regex).groups
    except re.error as error:
        raise ValueError(f"it is no regular expression ({error})") from None
    if regex and not n_groups:
        raise ValueError("it has no group in round brackets, which would be the class")
    return regex


def from_names(paths: Iterable[str], regex: str, given: bool) -> Meanings:
    """Labels by file names. Pictures below test/ whose name has no label are test pictures without.

    Args:
        paths: of all pictures.
        regex: searched in the name of each file, without folders; its first group is the class.
        given: whether the top folder of a path (train, valid, test) is its split.
    """
    pattern = re.compile(regex)
    found: dict[str, Meaning] = {}
    problems = []
    for path in paths:
        part = path.split("/")[0] if "/" in path else ""
        match = pattern.search(PurePosixPath(path).name)
        label = (match[1] or "").strip() if match else ""
        if given and part not in PARTS:
            problems.append(Problem(path, "no_part", "it lies in none of train/, valid/, test/"))
        elif label:
            found[path] = Meaning((label,), part if given else None)
        elif part == "test":
            found[path] = Meaning(None, "test")
        else:
            problems.append(
                Problem(path, "no_class", "index_images.name_regex finds no class in its name")
            )
    return found, problems
