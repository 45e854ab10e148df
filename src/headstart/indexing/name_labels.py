"""Finds the label of each file in its name, by a regular expression."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from headstart.indexing.labelling import Meaning, Meanings, Problem, meaning
from headstart.indexing.layout import Layout


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


def from_names(paths: Iterable[str], regex: str, layout: Layout, given: bool) -> Meanings:
    """Labels by file names. Pictures in a test folder whose name has no label have none.

    Args:
        paths: of all pictures.
        regex: searched in the name of each file, without folders; its first group is the class.
        layout: of these paths.
        given: whether the folder train is a split too, and not only test.
    """
    pattern = re.compile(regex)
    found: dict[str, Meaning] = {}
    problems = []
    for path in paths:
        split, folders = layout.parts(path)
        match = pattern.search(PurePosixPath(path).name)
        label = (match[1] or "").strip() if match else ""
        if folders is None:
            if not layout.is_aside(path):
                problems.append(
                    Problem(path, "no_part", "it lies in none of train/, valid/, test/")
                )
        elif label:
            found[path] = meaning((label,), split if given or split == "test" else None)
        elif split == "test":
            found[path] = meaning(None, "test")
        else:
            problems.append(
                Problem(path, "no_class", "index_images.name_regex finds no class in its name")
            )
    return found, problems
